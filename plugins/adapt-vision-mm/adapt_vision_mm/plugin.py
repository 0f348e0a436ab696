"""What adapt-vision-mm registers. Imports nothing heavy: every task's code loads when a run needs it."""

from __future__ import annotations

from adapt_core import hookimpl
from adapt_core.specs import TaskSpec

from adapt_vision_mm.params import DEFAULT_ARCHITECTURE, ImageClassificationParams


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
    ]
