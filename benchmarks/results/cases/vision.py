"""Each vision task on real images, with every method.

No package ships a pretrained detector, segmentation or pose model, so adapt makes a base with its own full run on one
set (on a backbone with ImageNet weights), and each method adapts that base to another set. Images are small, so that
two CPU cores carry it.
"""

from __future__ import annotations

from typing import Any

from benchmarks.results.cases.case import LITE0, Case

_METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full", "LR": 1e-3},
    "last_layer": {"method": "last_layer", "LR": 3e-3},
    "LoRA": {"method": "LoRA", "LR": 2e-3},
    "DoRA": {"method": "DoRA", "LR": 2e-3},
    "SSF": {"method": "SSF", "LR": 3e-3},
}
_BACKBONE = {"backbone": "timm/tf_efficientnet_lite0", "backbone_weights": LITE0}
_SCHEDULE = {"SCHEDULER_TYPE": "cosine", "WARMUP": True, "WARMUP_ITERS": 10}


def _adapted(section: str, base: str, data: str, keys: dict[str, Any], metric: str) -> list[Case]:
    """Return the cases that adapt a base to a data set by each method."""
    model = base.removesuffix(", base")
    return [
        Case(
            name=f"{model}, {method}",
            section=section,
            data=data,
            keys={**keys, **of_method},
            metric=metric,
            base=base,
        )
        for method, of_method in _METHODS.items()
    ]


CLASSIFICATION = "Image classification"
_CLASSIFICATION_METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full", "LR": 5e-4, "WARMUP_RATIO": 0.1, "EPOCHS": 3},
    "last_layer": {"method": "last_layer", "LR": 1e-2, "EPOCHS": 3},
    "LoRA": {"method": "LoRA", "LR": 3e-3, "EPOCHS": 2},
    "DoRA": {"method": "DoRA", "LR": 3e-3, "EPOCHS": 2},
    "SSF": {"method": "SSF", "LR": 3e-3, "EPOCHS": 2},
}
_CLASSIFICATION_CASES = [
    Case(
        name=f"EfficientNet-Lite0, {method}",
        section=CLASSIFICATION,
        data="hymenoptera",
        keys={
            "TASK": "image_classification",
            "MODEL_PATH": "tf_efficientnet_lite0",
            "LOCAL_MODEL_PATH": LITE0,
            "load_by_order": True,
            "BATCH_SIZE": 16,
            **keys,
        },
        metric="accuracy",
    )
    for method, keys in _CLASSIFICATION_METHODS.items()
]

DETECTION = "Object detection"
_DETECTION = {"TASK": "object_detection", "image_size": 256, "BATCH_SIZE": 8, **_SCHEDULE}
_BLOOD_CELLS = {
    "TRAIN_DIR": "train",
    "VAL_DIR": "val",
    "train_ann_file": "annotations/instances_train.json",
    "val_ann_file": "annotations/instances_val.json",
}
_FEWER = {"MAX_TRAIN_SAMPLES": 104, "MAX_EVAL_SAMPLES": 40}
_DETECTION_CASES = [
    Case(
        name="RTMDet, base",
        section=DETECTION,
        data="bccd_voc",
        keys={**_DETECTION, **_BACKBONE, "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco", "EPOCHS": 10, "LR": 2e-3},
        metric="AP50",
    ),
    *_adapted(DETECTION, "RTMDet, base", "bccd_coco", {**_DETECTION, **_BLOOD_CELLS, **_FEWER, "EPOCHS": 3}, "AP50"),
    Case(
        name="RetinaNet",
        section=DETECTION,
        data="bccd_coco",
        keys={
            **_DETECTION,
            **_BLOOD_CELLS,
            **_FEWER,
            **_BACKBONE,
            "MODEL_PATH": "retinanet_r18_fpn_1x_coco",
            "cfg_options": {
                "model.neck.out_channels": 64,
                "model.bbox_head.in_channels": 64,
                "model.bbox_head.feat_channels": 64,
                "model.bbox_head.stacked_convs": 2,
            },
            "EPOCHS": 6,
            "LR": 2e-3,
        },
        metric="AP50",
    ),
]

SEGMENTATION = "Instance segmentation"
_SEGMENTATION = {**_DETECTION, "TASK": "instance_segmentation", "BATCH_SIZE": 4}
_BALLOONS = {
    "TRAIN_DIR": "images",
    "VAL_DIR": "images",
    "train_ann_file": "annotations/instances_train.json",
    "val_ann_file": "annotations/instances_val.json",
}
_SEGMENTATION_CASES = [
    Case(
        name="RTMDet-Ins, base",
        section=SEGMENTATION,
        data="coco_mini",
        keys={
            **_SEGMENTATION,
            **_BACKBONE,
            "TRAIN_DIR": "train2017",
            "VAL_DIR": "val2017",
            "train_ann_file": "annotations/instances_train2017.json",
            "val_ann_file": "annotations/instances_val2017.json",
            "MODEL_PATH": "rtmdet-ins_tiny_8xb32-300e_coco",
            "EPOCHS": 5,
            "LR": 1e-3,
            "MAX_EVAL_SAMPLES": 20,
        },
        metric="mask_AP50",
    ),
    *_adapted(SEGMENTATION, "RTMDet-Ins, base", "balloon", {**_SEGMENTATION, **_BALLOONS, "EPOCHS": 6}, "mask_AP50"),
]

POSE = "Pose detection"
_POSE = {"TASK": "pose_detection", "BATCH_SIZE": 8, **_SCHEDULE}
_MICE = {
    "TRAIN_DIR": "images",
    "VAL_DIR": "images",
    "train_ann_file": "annotations/keypoints_train.json",
    "val_ann_file": "annotations/keypoints_val.json",
}
_POSE_CASES = [
    Case(
        name="RTMPose, base",
        section=POSE,
        data="coco_mini",
        keys={
            **_POSE,
            **_BACKBONE,
            "TRAIN_DIR": "train2017",
            "VAL_DIR": "val2017",
            "train_ann_file": "annotations/person_keypoints_train2017.json",
            "val_ann_file": "annotations/person_keypoints_val2017.json",
            "MODEL_PATH": "rtmpose-t_8xb256-420e_coco-256x192",
            "EPOCHS": 12,
            "LR": 1e-3,
        },
        metric="keypoint_AP50",
    ),
    *_adapted(POSE, "RTMPose, base", "mouse_openfield", {**_POSE, **_MICE, "EPOCHS": 6}, "keypoint_mAP"),
]

VISION_CASES = [*_CLASSIFICATION_CASES, *_DETECTION_CASES, *_SEGMENTATION_CASES, *_POSE_CASES]
