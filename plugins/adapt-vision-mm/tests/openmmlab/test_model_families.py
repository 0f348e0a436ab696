"""Detectors of each family, through adapt, on eight images (slow: minutes)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from .detectors import lines


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        "retinanet_r18_fpn_1x_coco",
        "faster-rcnn_r50_fpn_1x_coco",
        "yolox_tiny_8xb8-300e_coco",
        "detr_r50_8xb2-150e_coco",
        "deformable-detr_r50_16xb2-50e_coco",
        "mask-rcnn_r50_fpn_1x_coco",
    ],
)
def test_the_loss_of_each_family_halves_on_eight_images(run: Callable[..., Any], tmp_path: Path, config: str) -> None:
    masks = config.startswith("mask")
    files = {"train_ann_file": "train.json", "val_ann_file": "val.json"} if masks else {}
    run(
        TASK="instance_segmentation" if masks else "object_detection",
        MODEL_PATH=config,
        cfg_options=None,
        backbone=None if config.startswith("yolox") else "timm/resnet18",
        **files,
        augment=False,
        MAX_TRAIN_SAMPLES=8,
        EPOCHS=40,
        LR=5e-4,
        SCHEDULER_TYPE="constant",
        DO_EVAL=False,
        INTERVAL="no",
    )
    losses = [line["loss"] for line in lines(tmp_path / "run", "train")]
    assert sum(losses[-4:]) < sum(losses[:4]) / 2
