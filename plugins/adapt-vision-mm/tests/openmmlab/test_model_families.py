"""Detectors of each family, made small, on eight images: the loss halves in eighty steps (slow: minutes)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from .detectors import lines

SMALL_TRANSFORMERS = {
    "model.encoder.num_layers": 1,
    "model.decoder.num_layers": 2,
    "model.num_queries": 20,
    "model.encoder.layer_cfg.ffn_cfg.feedforward_channels": 128,
    "model.decoder.layer_cfg.ffn_cfg.feedforward_channels": 128,
}
SMALL_RCNN = {
    "model.neck.out_channels": 32,
    "model.rpn_head.in_channels": 32,
    "model.rpn_head.feat_channels": 32,
    "model.roi_head.bbox_roi_extractor.out_channels": 32,
    "model.roi_head.bbox_head.in_channels": 32,
    "model.roi_head.bbox_head.fc_out_channels": 64,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "retinanet_r18_fpn_1x_coco": {
        "model.neck.out_channels": 32,
        "model.bbox_head.in_channels": 32,
        "model.bbox_head.feat_channels": 32,
        "model.bbox_head.stacked_convs": 1,
    },
    "faster-rcnn_r50_fpn_1x_coco": SMALL_RCNN,
    "mask-rcnn_r50_fpn_1x_coco": {
        **SMALL_RCNN,
        "model.roi_head.mask_roi_extractor.out_channels": 32,
        "model.roi_head.mask_head.in_channels": 32,
        "model.roi_head.mask_head.conv_out_channels": 32,
        "model.roi_head.mask_head.num_convs": 1,
    },
    "yolox_tiny_8xb8-300e_coco": {
        "model.backbone.widen_factor": 0.125,
        "model.neck.in_channels": [32, 64, 128],
        "model.neck.out_channels": 32,
        "model.bbox_head.in_channels": 32,
        "model.bbox_head.feat_channels": 32,
    },
    "detr_r50_8xb2-150e_coco": SMALL_TRANSFORMERS,
    "deformable-detr_r50_16xb2-50e_coco": SMALL_TRANSFORMERS,
    "dino-4scale_r50_8xb2-12e_coco": SMALL_TRANSFORMERS,
}


def test_a_finished_detr_predicts_and_trains_on(run: Callable[..., Any], squares: Path, tmp_path: Path) -> None:
    """mmdet's head turns the weights of classes into a tensor, in the config that it is built of."""
    small = {"cfg_options": FAMILIES["detr_r50_8xb2-150e_coco"], "backbone": "timm/resnet10t"}
    few = {"MAX_STEPS": 1, "DO_EVAL": False, "INTERVAL": "no", "augment": False}
    first = run(MODEL_PATH="detr_r50_8xb2-150e_coco", **small, **few, score_threshold=0.0)
    [found] = adapt_core.predict(first, [str(squares / "1.png")])
    assert len(found["detections"]) == 20
    config = (Path(first.output_dir) / "model" / "config.py").read_text()
    assert "bg_cls_weight=0.1" in config
    on = {"OUTPUT_DIR": str(tmp_path / "on"), "cfg_options": None}
    run(MODEL_PATH=f"{first.output_dir}/model", method="last_layer", **on, **few)


@pytest.mark.parametrize("config", ["deformable-detr_r50_16xb2-50e_coco", "dino-4scale_r50_8xb2-12e_coco"])
def test_the_best_of_transformers_can_be_found_by_loss(run: Callable[..., Any], tmp_path: Path, config: str) -> None:
    """Their losses draw and need training mode; nothing of that is left for training."""
    few = {"MAX_STEPS": 1, "MAX_EVAL_SAMPLES": 2, "BATCH_SIZE": 2, "augment": False, "LR": 1e-3}
    small = {"MODEL_PATH": config, "cfg_options": FAMILIES[config], "backbone": "timm/resnet10t", **few}
    metrics = run(**small, METRIC_FOR_BEST="loss", OUTPUT_DIR=str(tmp_path / "loss")).metrics
    assert 0 < metrics["after"]["loss"] < metrics["before"]["loss"]
    run(**small, OUTPUT_DIR=str(tmp_path / "boxes"))
    [found], [expected] = (lines(tmp_path / name, "train") for name in ("loss", "boxes"))
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("config", FAMILIES)
def test_the_loss_of_each_family_halves_on_eight_images(run: Callable[..., Any], tmp_path: Path, config: str) -> None:
    masks = config.startswith("mask")
    result = run(
        TASK="instance_segmentation" if masks else "object_detection",
        MODEL_PATH=config,
        cfg_options=FAMILIES[config],
        backbone=None if config.startswith("yolox") else "timm/resnet10t",
        **({"train_ann_file": "train.json", "val_ann_file": "val.json"} if masks else {}),
        augment=False,
        MAX_TRAIN_SAMPLES=8,
        EPOCHS=40,
        LR=1e-3,
        SCHEDULER_TYPE="cosine",
        DO_EVAL=False,
        INTERVAL="no",
    )
    losses = [line["loss"] for line in lines(tmp_path / "run", "train")]
    assert sum(losses[-4:]) < sum(losses[:4]) / 2
    assert result.steps == 80
