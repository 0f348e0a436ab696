"""A base in half precision is held in float32 where the processor has no instructions for its own type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import adapt_core
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.distributed import processor
from adapt_core.estimate.estimate import Estimate, estimate_run
from adapt_core.hf.models import device_dtype
from adapt_core.nn.weights import read_state_dict
from adapt_core.plugin.registry import Registry

from .jobs import config

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

SLOW, FAST = 0.0, float("inf")
WEIGHT = "bert.encoder.layer.0.attention.self.query.weight"


@pytest.fixture(scope="module")
def half(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the small BERT with its weights in bfloat16."""
    from transformers import AutoModel, AutoTokenizer

    folder = tmp_path_factory.mktemp("half")
    AutoModel.from_pretrained(tiny_encoder, dtype=torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(folder)
    return folder


def keys(model: Path, inbox: Path, output: Path, **more: Any) -> dict[str, Any]:
    """Return a short run of LoRA."""
    return config(model, inbox, output, method="LoRA", MAX_EVAL_SAMPLES=16, MAX_STEPS=4, **more)


def foretold(config: dict[str, Any]) -> Estimate:
    """Return what `adapt check` foretells."""
    registry = Registry.discover()
    return estimate_run(resolve(RunConfig.read(config), registry), registry)


def log_of(run: Path) -> str:
    """Return the log of a run."""
    return (run / "log.txt").read_text()


def test_auto_takes_the_type_that_the_processor_computes_fast(
    half: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "_SLOW", SLOW)
    adapt_core.run(keys(half, inbox, tmp_path / "wide"))
    assert "bfloat16 weights are held in float32" in log_of(tmp_path / "wide")
    monkeypatch.setattr(processor, "_SLOW", FAST)
    adapt_core.run(keys(half, inbox, tmp_path / "own"))

    saved = {name: read_state_dict(tmp_path / name / "model" / "model.safetensors")[WEIGHT] for name in ("wide", "own")}
    assert saved["wide"].dtype is torch.float32
    assert saved["own"].dtype is torch.bfloat16
    embeddings = "embeddings.word_embeddings.weight"
    trained = read_state_dict(tmp_path / "wide" / "model" / "model.safetensors")[f"bert.{embeddings}"]
    assert torch.equal(trained, read_state_dict(half / "model.safetensors")[embeddings].float())


def test_check_foretells_it(half: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_SLOW", SLOW)
    wide = foretold(keys(half, inbox, tmp_path / "run"))
    monkeypatch.setattr(processor, "_SLOW", FAST)
    own = foretold(keys(half, inbox, tmp_path / "run"))
    assert wide.memory.weights > 1.8 * own.memory.weights


def test_weights_that_would_fill_the_memory_stay_as_they_are(
    half: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "_SLOW", SLOW)
    monkeypatch.setattr(device_dtype, "_SHARE_OF_MEMORY", 0.0)
    adapt_core.run(keys(half, inbox, tmp_path / "run"))
    assert "the weights stay bfloat16" in log_of(tmp_path / "run")
    assert read_state_dict(tmp_path / "run" / "model" / "model.safetensors")[WEIGHT].dtype is torch.bfloat16


LAUNCHERS: dict[str, dict[str, Any]] = {
    "adapt_fsdp, ddp": {"DDP": True, "use_cpu": True, "num_processes": 2},
    "adapt_fsdp, fsdp": {"FSDP": True, "use_cpu": True, "num_processes": 2},
    "adapt_ray, ray": {"launcher": "ray", "use_cpu": True, "num_processes": 2},
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_check_foretells_what_a_launcher_makes_of_it(
    launcher: str, half: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(launcher.partition(",")[0])
    monkeypatch.setattr(processor, "_SLOW", SLOW)

    def said(**more: Any) -> list[str]:
        asked = keys(half, inbox, tmp_path / "run", **LAUNCHERS[launcher], **more)
        return [line.partition(":")[0] for line in foretold(asked).warnings if "this processor" in line]

    assert said(mixed_precision="bf16") == ["mixed_precision"]
    assert said(BF16=True) == ["BF16"]
    assert said(BF16=True, mixed_precision="no") == []
    assert said() == []
    monkeypatch.setattr(processor, "_SLOW", FAST)
    assert said(mixed_precision="bf16") == []


@pytest.mark.parametrize(("key", "value"), [("DTYPE", "bfloat16"), ("BF16", True)])
def test_a_type_that_was_asked_for_is_kept_with_a_word(
    key: str, value: object, half: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "_SLOW", SLOW)
    asked = keys(half, inbox, tmp_path / "run", **{key: value})
    assert any(line.startswith(f"{key}: this processor") for line in foretold(asked).warnings)
    adapt_core.run(asked)
    assert f"{key}: this processor computes bfloat16" in log_of(tmp_path / "run")
    monkeypatch.setattr(processor, "_SLOW", FAST)
    assert not any("this processor" in line for line in foretold(asked).warnings)
