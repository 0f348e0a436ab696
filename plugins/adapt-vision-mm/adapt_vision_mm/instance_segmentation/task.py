"""The task instance_segmentation: masks of objects, with any instance segmentation model of mmdet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_vision_mm.instance_segmentation.config import SegmentationConfig
from adapt_vision_mm.instance_segmentation.data import SegmentationData
from adapt_vision_mm.instance_segmentation.metrics import MaskScorer
from adapt_vision_mm.instance_segmentation.preview import MaskRenderer
from adapt_vision_mm.mm_params import SegmentationParams
from adapt_vision_mm.openmmlab.contracts import TaskComponents
from adapt_vision_mm.openmmlab.detectors.prediction import DetectorPredictor
from adapt_vision_mm.openmmlab.detectors.samples import mask_results
from adapt_vision_mm.openmmlab.task import MmTask

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan


class InstanceSegmentation(MmTask[SegmentationParams]):
    """The task instance_segmentation."""

    def __init__(self, plan: Plan[SegmentationParams]) -> None:
        params = plan.task.params
        components = TaskComponents(
            package="mmdet",
            data=SegmentationData(plan),
            config=SegmentationConfig(params),
            scorer=MaskScorer(),
            renderer=MaskRenderer(params.palette),
            predictor=DetectorPredictor(
                to_results=mask_results, threshold=params.score_threshold, palette=params.palette
            ),
        )
        super().__init__(plan, components)
