"""Image classification end to end: models of both libraries, every method, the same again after a resume."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adapt_core.errors import InputError

Run = Callable[..., Any]


def lines(folder: Path, phase: str) -> list[dict[str, Any]]:
    written = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, written) if line["phase"] == phase]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in lines(folder, "train")]


# --- learning ----------------------------------------------------------------------------------------------------


def test_a_timm_network_learns_colours(run: Run, tmp_path: Path) -> None:
    result = run(EPOCHS=4, augmentation=False)
    assert result.status == "finished"
    assert set(result.metrics["after"]) == {"loss", "accuracy", "top5_accuracy", "macro_f1"}
    assert result.metrics["after"]["accuracy"] >= 0.9 > result.metrics["before"]["accuracy"]
    assert result.metrics["after"]["top5_accuracy"] == 1.0
    assert result.data["classes"] == 3
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert config["label_names"] == ["blue", "green", "red"]


def test_a_hugging_face_classifier_learns_colours(run_hf: Run, tmp_path: Path) -> None:
    result = run_hf(EPOCHS=4)
    assert result.metrics["after"]["accuracy"] >= 0.9
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "blue", "1": "green", "2": "red"}


@pytest.mark.parametrize("method", ["last_layer", "LoRA", "DoRA", "SSF"])
@pytest.mark.parametrize("library", ["timm", "hf"])
def test_every_method_trains_merges_and_leaves_the_base_alone(
    run: Run, run_hf: Run, tmp_path: Path, method: str, library: str
) -> None:
    if method != "last_layer":
        pytest.importorskip("adapt_peft_ssf")
    result = (run if library == "timm" else run_hf)(method=method, LR=0.02)
    assert result.training_check["verdict"] == "learned"
    assert result.trainable_parameters < result.total_parameters / 2
    if method != "last_layer":
        assert result.merge["relative_difference"] < 1e-4
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


def test_the_statistics_of_a_frozen_backbone_stand_still(run: Run, tmp_path: Path) -> None:
    run(method="last_layer", EPOCHS=2)
    torch.manual_seed(42)
    import timm

    start = timm.create_model("resnet10t", num_classes=3).state_dict()
    after = load_file(tmp_path / "run" / "model" / "model.safetensors")
    statistics = [name for name in start if name.endswith(("running_mean", "running_var"))]
    assert statistics
    assert all(torch.equal(start[name], after[name]) for name in start if not name.startswith("fc."))
    assert not torch.equal(start["fc.weight"], after["fc.weight"])


@pytest.mark.parametrize("switch", ["load_in_4bit", "load_in_8bit"])
def test_linear_layers_are_quantized_in_both_libraries(run: Run, run_hf: Run, switch: str) -> None:
    pytest.importorskip("adapt_peft_ssf")
    hf = run_hf(**{"method": "LoRA", switch: True, "LR": 0.01})
    assert hf.training_check["verdict"] == "learned"
    vit = {"MODEL_PATH": "test_vit", "model_type": None, "image_processor_path": None}  # timm's own for tests
    timm = run(**{"method": "LoRA", switch: True, **vit, "MAX_STEPS": 3, "OVERWRITE_OUTPUT_DIR": True})
    assert timm.quantization == hf.quantization
    assert timm.training_check["verdict"] == "learned"


def test_a_network_without_linear_layers_cannot_be_quantized(run: Run) -> None:
    pytest.importorskip("adapt_peft_ssf")
    with pytest.raises(InputError, match="has no Linear layer outside its head"):
        run(method="LoRA", load_in_4bit=True)


# --- beside a plain script ---------------------------------------------------------------------------------------


@pytest.mark.no_gpu
def test_losses_equal_a_plain_loop_s(run: Run, pictures: Path, tmp_path: Path) -> None:
    import timm
    from torchvision.datasets import ImageFolder

    run(augmentation=False, LOGGING_STEPS=1, OPTIMIZER="sgd", SCHEDULER_TYPE="constant", MAX_GRAD_NORM=0, EPOCHS=2)
    torch.manual_seed(42)
    model = timm.create_model("resnet10t", num_classes=3)
    numbers = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bilinear", "crop_pct": 1.0}
    transform = timm.data.create_transform(input_size=(3, 32, 32), crop_mode="squash", **numbers)
    images = ImageFolder(str(pictures / "train"), transform)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.003)
    order = rows_seen(tmp_path / "order", pictures, run)
    expected = []
    model.train()
    for start in range(0, len(order), 8):
        batch = [images[row] for row in order[start : start + 8]]
        logits = model(torch.stack([image for image, _ in batch]))
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([label for _, label in batch]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    assert losses(tmp_path / "run") == pytest.approx(expected, abs=1e-5)


def rows_seen(folder: Path, pictures: Path, run: Run) -> list[int]:
    """The rows that a run of two epochs reads, in order."""
    from adapt_vision_mm.image_classification.dataset import ImageDataset

    seen: list[int] = []
    read = ImageDataset.__getitem__

    def watch(self: ImageDataset, row: int) -> dict[str, Any]:
        if len(self) == 24:
            seen.append(row)
        return read(self, row)

    ImageDataset.__getitem__ = watch  # type: ignore[method-assign]
    try:
        run(augmentation=False, EPOCHS=2, DO_EVAL=False, VERDICT="none", OUTPUT_DIR=str(folder))
    finally:
        ImageDataset.__getitem__ = read  # type: ignore[method-assign]
    return seen


# --- the same again ----------------------------------------------------------------------------------------------


@pytest.mark.no_gpu
def test_random_crops_depend_on_the_seed_and_not_on_the_number_of_workers(run: Run, tmp_path: Path) -> None:
    seen = {}
    for name, changes in {
        "alone": {"NUM_WORKERS": 0},
        "three": {"NUM_WORKERS": 3},
        "seed": {"SEED": 7},
        "plain": {"augmentation": False},
    }.items():
        folder = tmp_path / name
        run(**changes, EPOCHS=2, LOGGING_STEPS=1, DO_EVAL=False, INTERVAL="no", OUTPUT_DIR=str(folder))
        seen[name] = losses(folder)
    assert seen["alone"] == seen["three"]
    assert seen["alone"] != seen["seed"]
    assert seen["alone"] != seen["plain"]


def test_an_image_is_cropped_anew_each_epoch(pictures: Path) -> None:
    from adapt_vision_mm.image_classification.backends.timm.preprocessing import timm_transforms
    from adapt_vision_mm.image_classification.dataset import ImageDataset
    from adapt_vision_mm.image_classification.params import Augmentation

    numbers = {"input_size": (3, 32, 32), "interpolation": "bilinear", "mean": (0.5,) * 3, "std": (0.5,) * 3}
    transforms = timm_transforms({**numbers, "crop_pct": 1.0, "crop_mode": "center"}, Augmentation())
    images = ImageDataset([str(pictures / "train" / "red" / "0.jpg")], [0], transforms.train, seed=1)
    before = torch.get_rng_state()
    first = images[0]["pixel_values"]
    assert torch.equal(first, images[0]["pixel_values"])
    images.set_epoch(1)
    assert not torch.equal(first, images[0]["pixel_values"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.no_gpu
@pytest.mark.parametrize("library", ["timm", "hf"])
def test_a_cut_run_resumed_equals_the_whole(
    run: Run, run_hf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    from transformers import Trainer

    start = run if library == "timm" else run_hf
    settings = {"EPOCHS": 2, "INTERVAL": "steps", "INTERVAL_STEPS": 2, "LOGGING_STEPS": 1}
    start(**settings, OUTPUT_DIR=str(tmp_path / "whole"))
    step = Trainer.training_step

    def cut(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step == 5:
            raise KeyboardInterrupt
        return step(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "training_step", cut)
        with pytest.raises(KeyboardInterrupt):
            start(**settings, OUTPUT_DIR=str(tmp_path / "cut"))
    resumed = start(resume=True, **settings, OUTPUT_DIR=str(tmp_path / "cut"))
    assert resumed.steps == 6
    whole, again = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)
