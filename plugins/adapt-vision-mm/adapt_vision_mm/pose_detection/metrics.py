"""The metrics of pose_detection: COCO average precision by object keypoint similarity (OKS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.class_metrics import keypoint_accuracy
from adapt_vision_mm.annotations.metric_names import KEYPOINT_METRICS, Kind
from adapt_vision_mm.pose_detection.results import pose_results

if TYPE_CHECKING:
    from mmpose.structures import PoseDataSample


class KeypointScorer:
    """Scores poses: a `Scorer`."""

    metrics = KEYPOINT_METRICS
    kinds: tuple[Kind, ...] = ("keypoints",)

    def to_results(self, sample: PoseDataSample, split: AnnotatedSplit) -> list[CocoResult]:
        """Return the predicted poses."""
        return pose_results(sample, split.categories[0].id)

    def per_class(self, evaluation: CocoEvaluation) -> PerClass:
        """Return how often each keypoint is found, and how far from its position."""
        return keypoint_accuracy(evaluation.split, evaluation.results)
