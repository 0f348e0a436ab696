"""What adapt-vision-mm registers. Imports nothing heavy: every task's code loads when a run needs it."""

from __future__ import annotations

from adapt_core import hookimpl
from adapt_core.specs import TaskSpec

from adapt_vision_mm.mm_params import MM_SCHEDULES, DetectionParams
from adapt_vision_mm.params import DEFAULT_ARCHITECTURE, ImageClassificationParams

_BOX_METRICS = {"mAP": "higher", "AP50": "higher", "AP75": "higher"}


@hookimpl
def adapt_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="image_classification",
            summary="images into two or more classes, with timm and Hugging Face models",
            implementation="adapt_vision_mm.image_classification.task:ImageClassification",
            params=ImageClassificationParams,
            loop="hf",
            metrics={"accuracy": "higher", "top5_accuracy": "higher", "macro_f1": "higher"},
            core_defaults={"MODEL_PATH": DEFAULT_ARCHITECTURE},
        ),
        TaskSpec(
            name="object_detection",
            summary="boxes around objects, with any detector of mmdet",
            implementation="adapt_vision_mm.object_detection.task:ObjectDetection",
            params=DetectionParams,
            loop="mm",
            metrics=_BOX_METRICS,
            core_choices={"SCHEDULER_TYPE": MM_SCHEDULES},
        ),
    ]
