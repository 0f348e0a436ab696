"""Fixtures of the tests that read splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.registry import Registry

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.instance_segmentation.data import SegmentationData
from adapt_vision_mm.object_detection.data import DetectionData
from adapt_vision_mm.pose_detection.data import PoseData

DATA = {"object_detection": DetectionData, "instance_segmentation": SegmentationData, "pose_detection": PoseData}
Read = Callable[..., Mapping[str, AnnotatedSplit]]
MakePlan = Callable[..., Any]


@pytest.fixture
def plan(tmp_path: Path) -> MakePlan:
    """The plan of a task on the folder."""

    def make(task: str = "object_detection", **keys: Any) -> Any:
        given = {"TASK": task, "MODEL_PATH": "any", "CUSTOM_DATASET_PATH": str(tmp_path), **keys}
        return resolve(RunConfig.read(given), Registry.discover())

    return make


@pytest.fixture
def read(plan: MakePlan) -> Read:
    """The splits of a task in the folder."""

    def splits(task: str = "object_detection", **keys: Any) -> Mapping[str, AnnotatedSplit]:
        found: Mapping[str, AnnotatedSplit] = DATA[task](plan(task, **keys)).read_splits()
        return found

    return splits


def boxes(split: AnnotatedSplit) -> dict[str, list[tuple[str, list[float]]]]:
    """Class and box of each object, by the names of images."""
    names = {category.id: category.name for category in split.categories}
    return {one.path.name: [(names[a["category_id"]], a["bbox"]) for a in one.annotations] for one in split.images}


def as_read(found: object) -> dict[str, list[tuple[str, list[float]]]]:
    """The boxes that are written, as `boxes` gives them."""
    return {name: [(label, list(map(float, box))) for label, box in of] for name, of in dict(found).items()}  # type: ignore[call-overload]
