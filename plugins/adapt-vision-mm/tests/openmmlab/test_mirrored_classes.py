"""A detector of left and right trains on no mirrored image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from PIL import Image

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.registry import Registry

TASKS = {"object_detection": "rtmdet_tiny_8xb32-300e_coco", "instance_segmentation": "rtmdet-ins_tiny_8xb32-300e_coco"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of 40 x 30 with an object of each of two classes."""
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    box = {"bbox": [2, 2, 9, 9], "segmentation": [[2, 2, 11, 2, 11, 11]]}
    data = {
        "images": [{"id": number, "file_name": "a.png"} for number in (1, 2)],
        "annotations": [{"id": number, "image_id": number, "category_id": number, **box} for number in (1, 2)],
    }
    (tmp_path / "train.json").write_text(json.dumps(data), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("other", ["right shoe", "hat"])
def test_only_classes_that_are_no_mirror_images_are_mirrored(
    folder: Path, caplog: pytest.LogCaptureFixture, task: str, other: str
) -> None:
    from adapt_vision_mm.instance_segmentation.task import InstanceSegmentation
    from adapt_vision_mm.object_detection.task import ObjectDetection

    data = json.loads((folder / "train.json").read_text(encoding="utf-8"))
    data["categories"] = [{"id": 1, "name": "left shoe"}, {"id": 2, "name": other}]
    (folder / "train.json").write_text(json.dumps(data), encoding="utf-8")
    keys = {"TASK": task, "MODEL_PATH": TASKS[task], "CUSTOM_DATASET_PATH": str(folder)}
    plan: Any = resolve(RunConfig.read(keys), Registry.discover())
    made = ObjectDetection(plan) if task == "object_detection" else InstanceSegmentation(plan)
    pipeline = [step["type"] for step in made.models.adapted.config.train_pipeline]
    mirrors = other == "hat"
    assert "YOLOXHSVRandomAug" in pipeline
    assert ("RandomFlip" in pipeline) is mirrors
    assert ("left shoe / right shoe" in caplog.text) is not mirrors
