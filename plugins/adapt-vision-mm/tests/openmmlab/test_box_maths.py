"""Boxes at the border: the NMS of the configs that adapt makes keeps what belongs to different classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

import torch
from PIL import Image

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.registry import Registry

from adapt_vision_mm.openmmlab import availability


@pytest.fixture
def plan(tmp_path: Path) -> Any:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    data = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "plate"}],
        "annotations": [{"id": n, "image_id": n, "category_id": n, "bbox": [2, 2, 9, 9]} for n in (1, 2)],
    }
    (tmp_path / "train.json").write_text(json.dumps(data), encoding="utf-8")

    def make(model: str) -> Any:
        keys = {"TASK": "object_detection", "MODEL_PATH": model, "CUSTOM_DATASET_PATH": str(tmp_path)}
        return resolve(RunConfig.read(keys), Registry.discover())

    return make


@pytest.mark.parametrize(
    "model", ["rtmdet_tiny_8xb32-300e_coco", "yolox_tiny_8xb8-300e_coco", "faster-rcnn_r50_fpn_1x_coco"]
)
def test_a_box_that_begins_outside_does_not_remove_one_of_another_class(plan: Any, model: str) -> None:
    from adapt_vision_mm.object_detection.task import ObjectDetection

    config = ObjectDetection(plan(model)).models.adapted.config.model
    test = config.test_cfg.rcnn if "rcnn" in config.test_cfg else config.test_cfg
    availability.import_openmmlab("mmdet")
    from mmcv.ops import batched_nms

    boxes = torch.tensor([[41.0, 41, 100, 100], [-60.0, -60, 10, 10], [-58.0, -58, 10, 10]])
    scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 1])
    kept = batched_nms(boxes, scores, labels, {**test.nms, "iou_threshold": 0.5})[1]
    assert sorted(kept.tolist()) == [0, 1]
    shifted = {key: value for key, value in test.nms.items() if key != "split_thr"}
    assert 1 not in batched_nms(boxes, scores, labels, {**shifted, "iou_threshold": 0.5})[1].tolist()
