"""What a frozen backbone makes of an image is computed once, and a run with it is the run without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

import torch
from torch import nn

from adapt_core.hf.data.cache import cache_folder

from .detectors import lines
from .test_model_families import FAMILIES
from adapt_vision_mm.openmmlab.frozen_backbone import FrozenBackbone

LAST = {"method": "last_layer", "augment": False, "EPOCHS": 3, "INTERVAL": "epoch", "cfg_options": None}
IMAGES = 16


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def tune(run: Callable[..., Any], trained: Path) -> Callable[..., Any]:
    """Trains the head of a detector that knows the squares."""
    return lambda **changes: run(**{**LAST, "MODEL_PATH": str(trained / "model"), **changes})


@contextmanager
def computed_images() -> Iterator[list[int]]:
    """The images of each forward pass through a backbone, counted where its last stage pools them."""
    seen: list[int] = []

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        if type(module).__name__ == "SPPBottleneck":
            seen.append(len(output))

    handle = nn.modules.module.register_module_forward_hook(count)
    try:
        yield seen
    finally:
        handle.remove()


def figures(folder: Path) -> list[float]:
    losses = [line["loss"] for line in lines(folder, "train")]
    scores = [line["mAP"] for line in lines(folder, "eval")]
    return [*losses, *scores]


def test_training_and_evaluations_are_those_without_it(tune: Callable[..., Any], tmp_path: Path) -> None:
    counts = {}
    for name, gigabytes in (("first", 10), ("second", 10), ("without", 0)):
        with computed_images() as seen:
            tune(OUTPUT_DIR=str(tmp_path / name), FROZEN_CACHE_GB=gigabytes)
        counts[name] = sum(seen)
    found, again, expected = (figures(tmp_path / name) for name in counts)
    assert len(expected) > 12
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert again == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert counts["first"] - counts["second"] == 2 * IMAGES  # each image of both splits once; the rest is the report's
    assert counts["without"] - counts["second"] >= 6 * IMAGES  # three epochs, and evaluations before and after each


def test_augmented_images_are_computed_anew(tune: Callable[..., Any], tmp_path: Path) -> None:
    counts = []
    for name in ("first", "second"):
        with computed_images() as seen:
            tune(augment=True, OUTPUT_DIR=str(tmp_path / name))
        counts.append(sum(seen))
    assert counts[0] - counts[1] == IMAGES  # of validation
    assert counts[1] >= 3 * IMAGES


def test_a_backbone_that_trains_keeps_nothing(run: Callable[..., Any]) -> None:
    run(MAX_STEPS=1, INTERVAL="no")
    assert not list((cache_folder() / "frozen_images").glob("*/*.safetensors"))


def test_a_changed_image_is_computed_again(tune: Callable[..., Any], squares: Path, tmp_path: Path) -> None:
    import shutil

    data = tmp_path / "data"
    shutil.copytree(squares, data)
    tune(CUSTOM_DATASET_PATH=str(data), OUTPUT_DIR=str(tmp_path / "one"))
    before = len(list((cache_folder() / "frozen_images").glob("*/*.safetensors")))
    shutil.copy(data / "2.png", data / "1.png")
    tune(CUSTOM_DATASET_PATH=str(data), OUTPUT_DIR=str(tmp_path / "two"))
    assert len(list((cache_folder() / "frozen_images").glob("*/*.safetensors"))) == before + 2


def test_the_disk_is_bounded(tune: Callable[..., Any], tmp_path: Path) -> None:
    tune(OUTPUT_DIR=str(tmp_path / "run"), FROZEN_CACHE_GB=2e-5)
    for folder in (cache_folder() / "frozen_images").iterdir():
        assert sum(file.stat().st_size for file in folder.glob("*.safetensors")) <= 25_000


def test_damaged_files_are_computed_again(tune: Callable[..., Any], tmp_path: Path) -> None:
    tune(OUTPUT_DIR=str(tmp_path / "one"))
    files = sorted((cache_folder() / "frozen_images").glob("*/*.safetensors"))
    whole = [file.read_bytes() for file in files]
    files[0].write_bytes(whole[0][:100])
    files[1].write_bytes(b"")
    tune(OUTPUT_DIR=str(tmp_path / "two"))
    assert figures(tmp_path / "two") == pytest.approx(figures(tmp_path / "one"), rel=1e-5, abs=1e-5)
    assert [len(file.read_bytes()) for file in files] == [len(content) for content in whole]


def test_images_that_come_otherwise_are_computed_again(tune: Callable[..., Any], tmp_path: Path) -> None:
    """The order of channels is in no weight, and in no description of a module."""
    turned = {"cfg_options": {"model.data_preprocessor.bgr_to_rgb": True}}
    tune(OUTPUT_DIR=str(tmp_path / "bgr"))
    for name, gigabytes in (("rgb", 10), ("without", 0)):
        tune(**turned, OUTPUT_DIR=str(tmp_path / name), FROZEN_CACHE_GB=gigabytes)
    expected = figures(tmp_path / "without")
    assert figures(tmp_path / "rgb") == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert figures(tmp_path / "bgr") != pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_folder_that_cannot_be_made_does_not_end_a_run(
    tune: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    place = cache_folder() / "frozen_images"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    with caplog.at_level("INFO"):
        result = tune(EPOCHS=1)
    assert result.steps == 4
    assert caplog.text.count("the frozen backbone is computed each time: ") == 1


@pytest.mark.slow
def test_detectors_of_two_stages_keep_theirs_too(run: Callable[..., Any], tmp_path: Path) -> None:
    small = {"cfg_options": FAMILIES["faster-rcnn_r50_fpn_1x_coco"], "backbone": "timm/resnet10t"}
    first = run(MODEL_PATH="faster-rcnn_r50_fpn_1x_coco", **small, MAX_STEPS=1, DO_EVAL=False, INTERVAL="no")
    few = {"MODEL_PATH": f"{first.output_dir}/model", "MAX_TRAIN_SAMPLES": 8, "MAX_EVAL_SAMPLES": 4}
    for name, gigabytes in (("kept", 10), ("without", 0)):
        run(**{**LAST, **few, "OUTPUT_DIR": str(tmp_path / name), "FROZEN_CACHE_GB": gigabytes})
    images = [len(list(folder.glob("*.safetensors"))) for folder in (cache_folder() / "frozen_images").iterdir()]
    assert len(images) == 2
    assert min(images) >= 4  # of validation; of training more, but not yet one that came first in each epoch
    assert figures(tmp_path / "kept") == pytest.approx(figures(tmp_path / "without"), rel=1e-4, abs=1e-4)


class Detector(nn.Module):
    """What of a detector is replaced; its backbone counts what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.data_preprocessor, self.backbone, self.computed = nn.Identity(), nn.Identity(), 0

    def extract_feat(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.computed += len(images)
        return (self.backbone(images),)

    def forward(self, images: torch.Tensor, data_samples: Any) -> tuple[torch.Tensor, ...]:
        return self.extract_feat(images)


def split_of(image: Path, **facts: Any) -> Any:
    class Split(list[int]):
        steps = ()
        data_list = [{"img_id": 1, "img_path": str(image), **facts}]  # noqa: RUF012 - as mmengine's

    return Split([0])


def test_an_image_that_is_turned_by_its_exif_data_is_another_one(squares: Path) -> None:
    """Of one file, an annotation file may have the sides as they are stored, and another as they are shown."""
    for as_stored, computed in ((True, 1), (True, 0), (False, 1)):
        detector = Detector().eval()
        kept = FrozenBackbone(detector, (detector.backbone,), 10**6, ())
        with kept.kept(split_of(squares / "1.png", as_stored=as_stored)):
            [found] = detector(torch.full((1, 3, 4, 4), float(as_stored)), [SimpleNamespace(img_id=1)])
        assert found.eq(float(as_stored)).all()
        assert detector.computed == computed
