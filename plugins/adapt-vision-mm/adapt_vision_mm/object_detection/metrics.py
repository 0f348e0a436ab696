"""The metrics of object_detection: COCO average precision of boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.class_metrics import class_precision
from adapt_vision_mm.annotations.metric_names import BOX_METRICS, Kind
from adapt_vision_mm.openmmlab.detectors.samples import box_results

if TYPE_CHECKING:
    from mmdet.structures import DetDataSample


class BoxScorer:
    """Scores boxes: a `Scorer`."""

    metrics = BOX_METRICS
    kinds: tuple[Kind, ...] = ("bbox",)

    def to_results(self, sample: DetDataSample, split: AnnotatedSplit) -> list[CocoResult]:
        """Return the predicted boxes."""
        return box_results(sample, [category.id for category in split.categories])

    def per_class(self, evaluation: CocoEvaluation) -> PerClass:
        """Return the average precision of each class."""
        return class_precision(evaluation)
