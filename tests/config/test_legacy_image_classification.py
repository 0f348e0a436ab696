"""The image classification file of the previous tool runs as it is, but for the data and the size of the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registry


@pytest.fixture
def legacy(shared: Path) -> Path:
    """The file; the test skips where adapt-vision-mm is not installed."""
    if Registry.discover().tasks.find("image_classification") is None:
        pytest.skip("needs adapt-vision-mm")
    return shared / "legacy_configs" / "image_classification.yml"


def test_it_resolves_with_each_key_understood(legacy: Path, shared_data: Path) -> None:
    plan = resolve(RunConfig.read(legacy, [f"CUSTOM_DATASET_PATH={shared_data / 'hymenoptera'}"]), Registry.discover())
    assert (plan.task.name, plan.method.name, plan.model.model_path) == ("image_classification", "full", "densenet121")
    params: Any = plan.task.params
    assert params.load_model is True
    assert params.model_type == "densenet_timm"
    assert params.image_processor_path == "facebook/convnext-tiny-224"
    assert params.framework == "huggingface"
    assert params.dataset_text_field == "image"
    assert (plan.training.optimizer, plan.training.seed, plan.training.interval_steps) == ("sgd", 56, 50)


def test_it_asks_for_the_published_weights_and_says_what_to_do_without(
    legacy: Path, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("timm")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", os.fspath(tmp_path / "cache"))
    overrides = [
        f"CUSTOM_DATASET_PATH={shared_data / 'hymenoptera'}",
        f"OUTPUT_DIR={tmp_path / 'run'}",
        f"LOGGING_PATH={tmp_path / 'log.txt'}",
    ]
    with pytest.raises(InputError, match=r"load_model: the published weights of densenet121 .* LOCAL_MODEL_PATH"):
        adapt_core.run(legacy, overrides=overrides)


@pytest.mark.slow
def test_it_runs_with_small_settings(legacy: Path, shared_data: Path, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    import torch

    torch.save(timm.create_model("densenet121").state_dict(), tmp_path / "densenet121.pth")
    overrides = [
        f"CUSTOM_DATASET_PATH={shared_data / 'hymenoptera'}",
        f"OUTPUT_DIR={tmp_path / 'run'}",
        f"LOGGING_PATH={tmp_path / 'log.txt'}",
        f"LOCAL_MODEL_PATH={tmp_path / 'densenet121.pth'}",
        *("MAX_TRAIN_SAMPLES=12", "MAX_EVAL_SAMPLES=4", "BATCH_SIZE=4", "NUM_WORKERS=0"),
    ]
    result = adapt_core.run(legacy, overrides=overrides)
    assert result.steps == 3
    assert result.training_check["verdict"] == "learned"
