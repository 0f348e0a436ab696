"""The metrics of pose_detection: COCO average precision by object keypoint similarity (OKS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import average_precision
from adapt_vision_mm.annotations.class_metrics import keypoint_accuracy
from adapt_vision_mm.annotations.image_rows import image_rows
from adapt_vision_mm.annotations.metric_names import KEYPOINT_METRICS
from adapt_vision_mm.pose_detection.results import pose_results

if TYPE_CHECKING:
    from mmpose.structures import PoseDataSample


class KeypointScorer:
    """Scores poses: a `Scorer`."""

    metrics = KEYPOINT_METRICS

    def to_results(self, sample: PoseDataSample, split: AnnotatedSplit) -> list[CocoResult]:
        """Return the predicted poses."""
        return pose_results(sample, split.categories[0].id)

    def score(self, results: Sequence[CocoResult], split: AnnotatedSplit) -> dict[str, float]:
        """Return COCO's OKS mAP, AP50 and AP75."""
        return average_precision(split, results, "keypoints")

    def per_class(self, results: Sequence[CocoResult], split: AnnotatedSplit) -> PerClass:
        """Return how often each keypoint is found, and how far from its position."""
        return keypoint_accuracy(split, results)

    def image_rows(self, results: Sequence[CocoResult], split: AnnotatedSplit) -> EvaluatedRows:
        """Return what was found of each image."""
        return image_rows(split, results, "keypoints")
