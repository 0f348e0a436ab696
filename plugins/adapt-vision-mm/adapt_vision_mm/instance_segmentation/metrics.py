"""The metrics of instance_segmentation: COCO average precision of masks and of boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.class_metrics import class_precision
from adapt_vision_mm.annotations.metric_names import BOX_METRICS, MASK_METRICS, Kind
from adapt_vision_mm.openmmlab.detectors.samples import mask_results

if TYPE_CHECKING:
    from mmdet.structures import DetDataSample


class MaskScorer:
    """Scores masks and boxes: a `Scorer`."""

    metrics = MASK_METRICS | BOX_METRICS
    kinds: tuple[Kind, ...] = ("segm", "bbox")

    def to_results(self, sample: DetDataSample, split: AnnotatedSplit) -> list[CocoResult]:
        """Return the predicted boxes and masks."""
        return mask_results(sample, [category.id for category in split.categories])

    def per_class(self, evaluation: CocoEvaluation) -> PerClass:
        """Return the average precision of the masks of each class."""
        return class_precision(evaluation)
