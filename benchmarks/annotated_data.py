"""The annotated data sets of ../shared/data, as adapt reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.import_strings import load_object
from adapt_core.plugin.registry import Registry

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.metric_names import Kind

_COCO_MINI = {"TRAIN_DIR": "train2017", "VAL_DIR": "val2017"}
SETS: dict[str, tuple[Kind, str, dict[str, Any]]] = {
    "bccd_coco": (
        "bbox",
        "object_detection",
        {
            "TRAIN_DIR": "train",
            "VAL_DIR": "val",
            "train_ann_file": "annotations/instances_train.json",
            "val_ann_file": "annotations/instances_val.json",
        },
    ),
    "coco_mini": (
        "segm",
        "instance_segmentation",
        {
            **_COCO_MINI,
            "train_ann_file": "annotations/instances_train2017.json",
            "val_ann_file": "annotations/instances_val2017.json",
        },
    ),
    "coco_mini, persons": (
        "keypoints",
        "pose_detection",
        {
            **_COCO_MINI,
            "train_ann_file": "annotations/person_keypoints_train2017.json",
            "val_ann_file": "annotations/person_keypoints_val2017.json",
        },
    ),
}
"""Name (a folder, and what is read of it) -> what is compared, the task that reads it, and keys of a config."""


def annotated(name: str, data: Path) -> tuple[Kind, dict[str, AnnotatedSplit]]:
    """Return what is compared of one of SETS, and its splits by name.

    Args:
        name: of SETS.
        data: the folder of the data sets.
    """
    kind, task, keys = SETS[name]
    place = str(data / name.partition(",")[0])
    config = {"TASK": task, "MODEL_PATH": "unused", "CUSTOM_DATASET_PATH": place, "augment": False, **keys}
    plan = resolve(RunConfig.read(config), Registry.discover())
    return kind, load_object(plan.task.implementation)(plan).splits
