"""The data of pose_detection: annotations with keypoints of one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import TOLERANCE, AnnotatedImage, AnnotatedSplit, Category
from adapt_vision_mm.annotations.formats import read_split
from adapt_vision_mm.annotations.formats.contract import ReadOptions
from adapt_vision_mm.annotations.further import further_splits
from adapt_vision_mm.annotations.mask_check import is_number
from adapt_vision_mm.annotations.sources import SplitSource
from adapt_vision_mm.annotations.splits import find_unannotated_test, read_splits
from adapt_vision_mm.openmmlab.contracts import MmDataset, Step
from adapt_vision_mm.pose_detection.mirrored_points import report_mirroring, require_agreement

if TYPE_CHECKING:
    from mmengine.config import Config

    from adapt_core.config.plan import Plan

    from adapt_vision_mm.mm_params import PoseParams


class PoseData:
    """The splits of pose_detection: a `DataSource`."""

    def __init__(self, plan: Plan[PoseParams]) -> None:
        self._plan = plan

    def read_splits(self) -> dict[str, AnnotatedSplit]:
        """Read COCO keypoint JSON, and keep the one class that has keypoints.

        Raises:
            DataError: no class has keypoints, or several have.
        """
        splits = read_splits(self._plan, self._read)
        if self._plan.task.params.augment and self._plan.training.do_train:
            report_mirroring(splits["train"].categories[0])
        return splits

    def read_further(self, train: AnnotatedSplit) -> dict[str, AnnotatedSplit]:
        """Read the data sets of ALSO_EVALUATE."""
        return further_splits(self._plan, train, lambda plan: PoseData(plan)._read)

    def _read(self, source: SplitSource, classes: Sequence[str] | None) -> AnnotatedSplit:
        options = ReadOptions.of(self._plan, classes, check=keypoint_defect)
        return _keep_keypoints(read_split(source, "keypoints", options))

    def list_unannotated_test(self) -> Mapping[int, Path] | None:
        """Return the images of a test split without annotations by id; None where it has some, or is a folder."""
        return find_unannotated_test(self._plan, self._read)

    def make_dataset(
        self, split: AnnotatedSplit, pipeline: Sequence[Step], config: Config, *, training: bool
    ) -> MmDataset:
        """Return an mmpose dataset, whose items are instances for a top-down model and images for a bottom-up one."""
        from adapt_vision_mm.pose_detection.approaches import approach_of
        from adapt_vision_mm.pose_detection.dataset import PoseDataset

        return PoseDataset(
            split, list(pipeline), approach_of(config).data_mode, self._plan.training.seed, training=training
        )


def keypoint_defect(annotation: Mapping[str, Any], category: Category, image: AnnotatedImage) -> str | None:
    """Return why an annotation's `keypoints` cannot be used, or None. An `AnnotationCheck`."""
    if not category.keypoints:
        return None
    points = annotation.get("keypoints")
    wanted = 3 * len(category.keypoints)
    if not isinstance(points, list) or len(points) != wanted:
        count = len(points) if isinstance(points, list) else 0
        return f"keypoints has {count} numbers; {len(category.keypoints)} points are {wanted}"
    if not all(map(is_number, points)):
        return "keypoints contains a non-numeric value"
    wrong = next((number for number, seen in enumerate(points[2::3]) if seen not in (0, 1, 2)), None)
    if wrong is not None:
        return (
            f"keypoints: the visibility of {category.keypoints[wrong]!r} is {points[3 * wrong + 2]}; it is 0 (not "
            "labelled), 1 (hidden) or 2 (visible)"
        )
    for name, x, y, seen in zip(category.keypoints, points[::3], points[1::3], points[2::3], strict=True):
        beyond = image.beyond(x, y, x, y)
        if seen and beyond > TOLERANCE:
            return (
                f"keypoint {name!r} lies {beyond:g} pixels beyond the image ({image.width} x {image.height}); a point "
                "of visibility 0 may lie anywhere"
            )
    return None


def _keep_keypoints(split: AnnotatedSplit) -> AnnotatedSplit:
    candidates = [category for category in split.categories if category.keypoints]
    if len(candidates) != 1:
        raise DataError(
            f"{split.source}: {len(candidates)} categories have keypoints; a pose model has the keypoints of one."
            " Keep the keypoints of one."
        )
    category = candidates[0]
    require_agreement(category, split.source)
    images = tuple(
        attrs.evolve(image, annotations=tuple(a for a in image.annotations if a["category_id"] == category.id))
        for image in split.images
    )
    return attrs.evolve(split, images=images, categories=(category,))
