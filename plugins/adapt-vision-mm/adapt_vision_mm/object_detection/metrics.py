"""The metrics of object_detection: COCO average precision of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import average_precision
from adapt_vision_mm.annotations.class_metrics import class_precision
from adapt_vision_mm.annotations.image_rows import image_rows
from adapt_vision_mm.annotations.metric_names import BOX_METRICS
from adapt_vision_mm.openmmlab.detectors.samples import box_results

if TYPE_CHECKING:
    from mmdet.structures import DetDataSample


class BoxScorer:
    """Scores boxes: a `Scorer`."""

    metrics = BOX_METRICS

    def to_results(self, sample: DetDataSample, split: AnnotatedSplit) -> list[CocoResult]:
        """Return the predicted boxes."""
        return box_results(sample, [category.id for category in split.categories])

    def score(self, results: Sequence[CocoResult], split: AnnotatedSplit) -> dict[str, float]:
        """Return COCO mAP, AP50 and AP75 of the boxes."""
        return average_precision(split, results, "bbox")

    def per_class(self, results: Sequence[CocoResult], split: AnnotatedSplit) -> PerClass:
        """Return the average precision of each class."""
        return class_precision(split, results, "bbox")

    def image_rows(self, results: Sequence[CocoResult], split: AnnotatedSplit) -> EvaluatedRows:
        """Return what was found of each image."""
        return image_rows(split, results, "bbox")
