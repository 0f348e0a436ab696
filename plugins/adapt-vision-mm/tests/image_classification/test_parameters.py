"""The effect of each parameter that changes preprocessing or training."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adapt_core import api
from adapt_core.errors import InputError

Run = Callable[..., Any]


# --- images into the model ---------------------------------------------------------------------------------------


def test_a_model_s_own_size_mean_and_std(prepared: Run) -> None:
    task, data, _ = prepared(image_processor_path=None)
    assert tuple(data.validation[0]["pixel_values"].shape) == (3, 176, 176)
    assert task.transforms.evaluate.transforms[-1].mean.tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_image_processor_path_replaces_them_and_is_saved(run: Run, tmp_path: Path) -> None:
    from transformers import ViTImageProcessor

    folder = tmp_path / "processor"
    ViTImageProcessor(size={"height": 48, "width": 40}, image_mean=[0.1] * 3, image_std=[0.2] * 3).save_pretrained(
        folder
    )
    run(image_processor_path=str(folder))
    saved = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["pretrained_cfg"]
    assert saved["input_size"] == [3, 48, 40]
    assert (saved["mean"], saved["std"]) == ([0.1] * 3, [0.2] * 3)
    with pytest.raises(InputError, match="image_processor_path: nowhere is neither a directory nor a hub id"):
        run(image_processor_path="nowhere", OVERWRITE_OUTPUT_DIR=True)


def test_a_network_of_one_size_is_built_for_another(run: Run, tmp_path: Path) -> None:
    import timm

    vit = {"MODEL_PATH": "vit_tiny_patch16_224", "model_type": None}
    torch.save(timm.create_model("vit_tiny_patch16_224").state_dict(), tmp_path / "vit.pth")
    run(**vit, LOCAL_MODEL_PATH=str(tmp_path / "vit.pth"), MAX_STEPS=1)
    saved = timm.create_model(f"local-dir:{tmp_path / 'run' / 'model'}", pretrained=True)
    assert tuple(saved.pos_embed.shape) == (1, 5, 192)


def test_the_default_processor_serves_a_model_without_one(run_hf: Run, tiny_vit: Path, tmp_path: Path) -> None:
    import shutil

    bare = Path(shutil.copytree(tiny_vit, tmp_path / "bare"))
    (bare / "preprocessor_config.json").unlink()
    run_hf(MODEL_PATH=str(bare))
    saved = json.loads((tmp_path / "run" / "model" / "preprocessor_config.json").read_text())
    assert saved["size"] == {"shortest_edge": 32}
    assert saved["image_mean"] == [0.485, 0.456, 0.406]


def test_processor_and_timm_transform_agree(prepared: Run, pictures: Path) -> None:
    from PIL import Image
    from transformers import ViTImageProcessor

    from adapt_vision_mm.image_classification.backends.hugging_face.preprocessing import processor_transforms
    from adapt_vision_mm.image_classification.backends.timm.preprocessing import processor_config, timm_transforms
    from adapt_vision_mm.image_classification.params import Augmentation

    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    image = Image.open(pictures / "train" / "red" / "0.jpg")
    one = processor_transforms(processor, None).evaluate(image)
    other = timm_transforms(processor_config(processor, "x"), None).evaluate(image)
    assert torch.allclose(one, other, atol=0.02)
    for make in (
        processor_transforms(processor, Augmentation()),
        timm_transforms(processor_config(processor, "x"), Augmentation()),
    ):
        assert make.train(image).shape == (3, 32, 32)


# --- training parameters that images change ----------------------------------------------------------------------


def test_class_weights_change_the_loss(run: Run, tmp_path: Path) -> None:
    plain = run(DO_TRAIN=False).metrics["before"]["loss"]
    weighted = {"blue": 10, "green": 1, "red": 1}
    changed = run(CLASS_WEIGHTS=weighted, LOGGING_STEPS=1, OVERWRITE_OUTPUT_DIR=True)
    assert changed.metrics["before"]["loss"] != pytest.approx(plain, rel=1e-3)
    with pytest.raises(InputError, match="CLASS_WEIGHTS must name each class once; missing: red"):
        run(CLASS_WEIGHTS={"blue": 1, "green": 1}, OVERWRITE_OUTPUT_DIR=True)


def test_flash_attention_is_not_used_where_it_cannot_be_and_said(
    run_hf: Run, caplog: pytest.LogCaptureFixture, no_flash: str
) -> None:
    caplog.set_level(logging.WARNING)
    run_hf(flash_attention2=True, MAX_STEPS=1)
    assert no_flash in caplog.text


def test_gradient_checkpointing_gives_the_same_gradients(run: Run, tmp_path: Path) -> None:
    vit = {"MODEL_PATH": "test_vit", "model_type": None, "image_processor_path": None}
    settings = {**vit, "MAX_STEPS": 1, "MAX_TRAIN_SAMPLES": 8, "DO_EVAL": False, "OPTIMIZER": "sgd", "LR": 0.1}
    files = []
    for name, on in (("off", False), ("on", True)):
        run(**settings, GRADIENT_CHECKPOINTING=on, OUTPUT_DIR=str(tmp_path / name))
        files.append(load_file(tmp_path / name / "model" / "model.safetensors"))
    assert all(torch.allclose(files[0][name], files[1][name], atol=1e-6) for name in files[0])


@pytest.mark.slow
def test_compiled_blocks_learn_the_same(run: Run, tmp_path: Path) -> None:
    vit = {"MODEL_PATH": "test_vit", "model_type": None, "image_processor_path": None}
    settings = {**vit, "MAX_STEPS": 3, "LOGGING_STEPS": 1}
    found = {}
    for compiled in (False, True):
        folder = tmp_path / f"compiled-{compiled}"
        result = run(**settings, COMPILE=compiled, OUTPUT_DIR=str(folder))
        assert not [warning for warning in result.warnings if "COMPILE" in warning]
        lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        found[compiled] = [line["loss"] for line in lines if line["phase"] == "train"]
    assert found[True] == pytest.approx(found[False], rel=1e-5)


def test_gradient_checkpointing_is_switched_on_or_refused(prepared: Run) -> None:
    _, _, loaded = prepared(GRADIENT_CHECKPOINTING=True)
    assert loaded.model.grad_checkpointing is True
    with pytest.raises(InputError, match=r"GRADIENT_CHECKPOINTING: timm's .* does not support it"):
        prepared(GRADIENT_CHECKPOINTING=True, MODEL_PATH="inception_v4", model_type=None)


def test_memory_of_recomputed_activations_is_foretold(keys: dict[str, Any]) -> None:
    vit = {**keys, "MODEL_PATH": "vit_tiny_patch16_224", "model_type": None, "image_processor_path": None}
    kept = []
    for on in (False, True):
        memory = api.estimate(api.check({**vit, "GRADIENT_CHECKPOINTING": on})).memory
        assert memory is not None
        assert memory.activations is not None
        kept.append(memory.activations)
    inputs_of_blocks = 12 * 8 * 197 * 192 * 4
    one_block = (kept[0] - inputs_of_blocks) / 12
    assert kept[1] == pytest.approx(inputs_of_blocks + one_block, rel=0.3)


def test_group_by_length_has_no_effect_and_is_said(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run(GROUP_BY_LENGTH=True, MAX_STEPS=1)
    assert "GROUP_BY_LENGTH has no effect on images" in caplog.text
