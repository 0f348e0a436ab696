"""The task object_detection: boxes around objects, with any detector of mmdet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_vision_mm.mm_params import DetectionParams
from adapt_vision_mm.object_detection.config import DetectionConfig
from adapt_vision_mm.object_detection.data import DetectionData
from adapt_vision_mm.object_detection.metrics import BoxScorer
from adapt_vision_mm.object_detection.preview import BoxRenderer
from adapt_vision_mm.openmmlab.contracts import TaskComponents
from adapt_vision_mm.openmmlab.detectors.prediction import DetectorPredictor
from adapt_vision_mm.openmmlab.detectors.samples import box_results
from adapt_vision_mm.openmmlab.task import MmTask

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan


class ObjectDetection(MmTask[DetectionParams]):
    """The task object_detection."""

    def __init__(self, plan: Plan[DetectionParams]) -> None:
        params = plan.task.params
        components = TaskComponents(
            package="mmdet",
            data=DetectionData(plan),
            config=DetectionConfig(params),
            scorer=BoxScorer(),
            renderer=BoxRenderer(),
            predictor=DetectorPredictor(to_results=box_results, threshold=params.score_threshold),
        )
        super().__init__(plan, components)
