"""last_layer computes its frozen part once for each augmented view: as every epoch would, as far as views reach."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.hf.data.cache import cache_folder

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that no other test has filled."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def stores() -> dict[int, list[str]]:
    """Return what is kept of a row, by the number of rows."""
    found = [json.loads(path.read_text()) for path in (cache_folder() / "frozen").glob("*/complete.json")]
    return {index["rows"]: index["values"] for index in found}


@pytest.mark.parametrize(
    ("library", "changes"),
    [
        ("timm", {}),
        ("hf", {}),
        ("timm", {"LAST_LAYERS": 2}),
        pytest.param("hf", {"LAST_LAYERS": 2}, marks=pytest.mark.slow),
        pytest.param("timm", {"CLASS_WEIGHTS": "balanced", "NUM_WORKERS": 2}, marks=pytest.mark.slow),
    ],
)
def test_epochs_of_new_views_have_the_losses_of_computing_at_every_step(
    run: Run, run_hf: Run, tmp_path: Path, library: str, changes: dict[str, Any]
) -> None:
    start = run if library == "timm" else run_hf
    keys = {"method": "last_layer", "EPOCHS": 4, "LOGGING_STEPS": 1, "AUGMENTED_VIEWS": 3, **changes}
    once = start(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    assert set(stores()) == {72, 12}  # three views of 24 training images, and the validation images
    always = start(**keys, OUTPUT_DIR=str(tmp_path / "always"), FROZEN_CACHE_GB=0)
    found, expected = losses(tmp_path / "once"), losses(tmp_path / "always")
    new = len(expected) * 3 // 4  # the fourth epoch shows the views of the first again
    assert found[:new] == pytest.approx(expected[:new], abs=1e-5)
    assert found != pytest.approx(expected, abs=1e-5)
    assert once.metrics["before"] == pytest.approx(always.metrics["before"], abs=1e-5)


def test_images_that_are_not_augmented_end_as_computed_at_every_step(run: Run, tmp_path: Path) -> None:
    keys = {"method": "last_layer", "EPOCHS": 2, "LOGGING_STEPS": 1, "augmentation": False}
    once = run(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    assert set(stores()) == {24, 12}
    always = run(**keys, OUTPUT_DIR=str(tmp_path / "always"), FROZEN_CACHE_GB=0)
    assert losses(tmp_path / "once") == pytest.approx(losses(tmp_path / "always"), abs=1e-5)
    assert once.metrics["after"] == pytest.approx(always.metrics["after"], abs=1e-5)
    assert once.training_check == always.training_check


@pytest.mark.parametrize("views", [None, 2])
def test_views_that_no_epoch_shows_again_are_not_computed_beforehand(
    run: Run, caplog: pytest.LogCaptureFixture, views: int | None
) -> None:
    with caplog.at_level(logging.INFO, "adapt_vision_mm"):
        run(method="last_layer", EPOCHS=2, AUGMENTED_VIEWS=views)
    assert set(stores()) == {12}
    assert "fewer AUGMENTED_VIEWS than EPOCHS" in caplog.text


def test_the_head_of_a_network_keeps_its_pooled_features(run: Run) -> None:
    run(method="last_layer", EPOCHS=2, augmentation=False)
    assert stores() == {24: ["row (512,) torch.float32"], 12: ["row (512,) torch.float32"]}


def test_later_epochs_show_the_same_views_again(run: Run, tmp_path: Path) -> None:
    keys = {"method": "last_layer", "EPOCHS": 4, "LOGGING_STEPS": 1, "LR": 0, "DO_EVAL": False, "BATCH_SIZE": 24}
    run(**keys, AUGMENTED_VIEWS=2, OUTPUT_DIR=str(tmp_path / "two"))
    first, second, *again = losses(tmp_path / "two")
    assert again == pytest.approx([first, second], abs=1e-6)
    assert abs(first - second) > 1e-4


def test_other_images_and_crops_are_computed_anew(run: Run, pictures: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pictures, tmp_path / "data"))
    keys = {"method": "last_layer", "EPOCHS": 3, "DO_EVAL": False, "CUSTOM_DATASET_PATH": str(folder)}

    def computed(**changes: Any) -> int:
        before = len(list((cache_folder() / "frozen").glob("*/complete.json")))
        run(**{"AUGMENTED_VIEWS": 1, **keys, **changes}, OUTPUT_DIR=str(tmp_path / str(before) / str(sorted(changes))))
        return len(list((cache_folder() / "frozen").glob("*/complete.json"))) - before

    assert computed() == 1
    assert computed(LR=0.1) == 0
    assert computed(SEED=7) == 1
    assert computed(augmentation=False) == 1
    shutil.copy(folder / "train" / "red" / "0.jpg", folder / "train" / "red" / "1.jpg")
    assert computed(AUGMENTED_VIEWS=2) == 1
