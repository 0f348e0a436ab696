"""The task pose_detection: keypoints of bodies, with any 2d model of mmpose, top-down or bottom-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.score_thresholds import DEFAULT
from adapt_vision_mm.mm_params import PoseParams
from adapt_vision_mm.openmmlab.contracts import TaskComponents
from adapt_vision_mm.openmmlab.task import MmTask
from adapt_vision_mm.pose_detection.config import PoseConfig
from adapt_vision_mm.pose_detection.data import PoseData
from adapt_vision_mm.pose_detection.metrics import KeypointScorer
from adapt_vision_mm.pose_detection.predict import PosePredictor
from adapt_vision_mm.pose_detection.preview import PoseRenderer

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan


class PoseDetection(MmTask[PoseParams]):
    """The task pose_detection."""

    def __init__(self, plan: Plan[PoseParams]) -> None:
        params = plan.task.params
        components = TaskComponents(
            package="mmpose",
            data=PoseData(plan),
            config=PoseConfig(params),
            scorer=KeypointScorer(),
            renderer=PoseRenderer(),
            predictor=PosePredictor(DEFAULT if params.score_threshold is None else params.score_threshold),
        )
        super().__init__(plan, components)
