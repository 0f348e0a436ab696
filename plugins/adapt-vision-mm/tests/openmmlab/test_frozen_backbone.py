"""What a frozen backbone makes of an image is computed once, and a run with it is the run without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from torch import nn

from adapt_core.hf.data.cache import cache_folder

from .detectors import lines

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
