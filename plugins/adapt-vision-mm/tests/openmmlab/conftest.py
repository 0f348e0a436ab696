"""Fixtures of the OpenMMLab tasks' tests: drawn images, a small detector that has learned them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core

from .detectors import POINTS, SMALL_RTMDET


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 images of 96 x 64 pixels with a red and a blue square each, in COCO JSON with polygons."""
    import numpy
    from PIL import Image

    folder = tmp_path_factory.mktemp("squares")
    random = numpy.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, 17):
        pixels = numpy.full((64, 96, 3), 200, dtype=numpy.uint8)
        for category, left, colour in ((4, 0, (220, 20, 20)), (9, 48, (20, 20, 220))):
            side = int(random.integers(18, 34))
            x, y = left + int(random.integers(0, 48 - side)), int(random.integers(0, 64 - side))
            pixels[y : y + side, x : x + side] = colour
            corners = [x, y, x + side, y, x + side, y + side, x, y + side]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "bbox": [x, y, side, side],
                    "area": side * side,
                    "iscrowd": 0,
                    "segmentation": [corners],
                }
            )
        Image.fromarray(pixels).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 64})
    categories = [{"id": 4, "name": "red"}, {"id": 9, "name": "blue"}]
    data = {"images": images, "annotations": annotations, "categories": categories}
    for name in ("train.json", "val.json"):
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    return folder


@pytest.fixture
def run(squares: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs a small RTMDet on the squares, with changes."""

    def run_with(resume: bool = False, **changes: Any) -> Any:
        keys = {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "cfg_options": SMALL_RTMDET,
            "CUSTOM_DATASET_PATH": str(squares),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "image_size": 96,
            "BATCH_SIZE": 4,
            "EPOCHS": 1,
            "LR": 4e-3,
            "NUM_WORKERS": 0,
            "LOGGING_STEPS": 1,
            "checkpoint_interval": 1,
        }
        return adapt_core.run({**keys, **changes}, resume=resume)

    return run_with


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Any]:
    """A checked plan of object_detection on one image, with changes; 4 epochs of 10 steps where steps matter."""
    from PIL import Image

    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg")
    data = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 12], "area": 120}],
    }
    for name in ("train", "val", "other"):
        (tmp_path / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")

    def make(**changes: Any) -> Any:
        keys = {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "CUSTOM_DATASET_PATH": str(tmp_path),
            "EPOCHS": 4,
            "LR": 0.1,
        }
        return adapt_core.check({**keys, **changes})

    return make


@pytest.fixture(scope="module")
def trained(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a small RTMDet that has learned the squares."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    result = adapt_core.run(
        {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "cfg_options": SMALL_RTMDET,
            "CUSTOM_DATASET_PATH": str(squares),
            "OUTPUT_DIR": str(folder),
            "image_size": 96,
            "augment": False,
            "BATCH_SIZE": 4,
            "EPOCHS": 30,
            "LR": 4e-3,
            "INTERVAL": "no",
            "NUM_WORKERS": 0,
            "score_threshold": 0.02,
        }
    )
    assert result.training_check["verdict"] == "learned"
    assert result.metrics["after"]["AP50"] > result.metrics["before"]["AP50"] + 0.3
    return folder


@pytest.fixture(scope="module")
def triangles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 images of 96 x 96 pixels with one triangle each, whose corners are the points."""
    from PIL import Image, ImageDraw

    folder = tmp_path_factory.mktemp("triangles")
    images, annotations = [], []
    for number in range(1, 13):
        x, y = 20 + 4 * (number % 4), 16 + 5 * (number % 3)
        corners = [(x + 20, y), (x, y + 40), (x + 40, y + 40)]
        image = Image.new("RGB", (96, 96), (210, 210, 210))
        ImageDraw.Draw(image).polygon(corners, fill=(200, 30, 30))
        image.save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 96})
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": [x - 5, y - 5, 50, 50],
                "area": 2500,
                "iscrowd": 0,
                "num_keypoints": 3,
                "keypoints": [value for corner in corners for value in (*corner, 2)],
            }
        )
    category = {"id": 1, "name": "triangle", "keypoints": POINTS, "skeleton": [[1, 2], [2, 3]]}
    data = {"images": images, "annotations": annotations, "categories": [category]}
    for name in ("train.json", "val.json"):
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    return folder
