"""Exports of annotation tools train as the same boxes in COCO's form, and `adapt check` names them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from adapt_core import api

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from ..annotations.exports import EXPORTS, HEIGHT, WIDTH, Box, coco, write
from .detectors import SMALL_RTMDET

pytestmark = pytest.mark.no_gpu

COLOURS = {"cat": (220, 20, 20), "dog": (20, 20, 220)}
SLOW = [pytest.param(name, marks=() if name == "label studio" else pytest.mark.slow) for name in EXPORTS]


@pytest.fixture(scope="module")
def boxes() -> dict[str, list[Box]]:
    """Two boxes in each of eight images."""
    return {
        f"{number}.png": [("cat", (2.0 * number, 2, 12, 16)), ("dog", (32, 1.0 * number, 24, 16))]
        for number in range(8)
    }


@pytest.fixture
def keys(tmp_path: Path, boxes: dict[str, list[Box]]) -> Callable[[str], dict[str, Any]]:
    """Writes images and their boxes as an export, or in COCO's form, and gives a config of a small RTMDet on them."""

    def keys_of(export: str) -> dict[str, Any]:
        folder = tmp_path / export
        folder.mkdir()
        for name, found in boxes.items():
            pixels = numpy.full((HEIGHT, WIDTH, 3), 200, dtype=numpy.uint8)
            for label, box in found:
                left, top, width, height = map(int, box)
                pixels[top : top + height, left : left + width] = COLOURS[label]
            Image.fromarray(pixels).save(folder / name)
        if export == "coco":
            write(folder / "train.json", coco(boxes))
        else:
            EXPORTS[export][1](folder, boxes)
        return {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "cfg_options": SMALL_RTMDET,
            "CUSTOM_DATASET_PATH": str(folder),
            "OUTPUT_DIR": str(tmp_path / f"run of {export}"),
            "image_size": 64,
            "augment": False,
            "BATCH_SIZE": 4,
            "EPOCHS": 1,
            "LR": 4e-3,
            "NUM_WORKERS": 0,
            "LOGGING_STEPS": 1,
            "DO_EVAL": False,
        }

    return keys_of


@pytest.mark.parametrize("export", SLOW)
def test_an_export_trains_as_the_same_boxes_in_coco_s_form(
    keys: Callable[[str], dict[str, Any]], tmp_path: Path, export: str
) -> None:
    losses = []
    for name in ("coco", export):
        api.run(keys(name))
        rows = map(json.loads, (tmp_path / f"run of {name}" / "metrics.jsonl").read_text().splitlines())
        losses.append([row["loss"] for row in rows if row["phase"] == "train"])
    assert len(losses[0]) == 2
    assert losses[0] == losses[1]


@pytest.mark.parametrize("export", SLOW)
def test_check_names_an_export_and_shows_three_images(
    keys: Callable[[str], dict[str, Any]], boxes: dict[str, list[Box]], export: str
) -> None:
    found = api.estimate(api.check({**keys(export), "DO_EVAL": True, "DATA_SPLIT": 0.25}))
    name, _ = EXPORTS[export]
    assert {split: told["format"] for split, told in found.formats.items()} == {"train": name, "val": name}
    assert "is an export of" in found.formats["train"]["reason"]
    assert len(found.examples) == 3
    for (image, size), *objects in found.examples:
        assert size == "64 x 32"
        assert objects == [(label, ", ".join(f"{side:g}" for side in box)) for label, box in boxes[image]]
    assert found.classes == {"cat": 6, "dog": 6}
