"""What adapt-nlp registers. Imports nothing heavy: every task's code loads when a run needs it."""

from __future__ import annotations

from adapt_core import hookimpl
from adapt_core.specs import TaskSpec

from adapt_nlp.params import TextClassificationParams


@hookimpl
def adapt_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="text_classification",
            summary="texts into two or more classes, or a tag for each word (ner, pos, chunk)",
            implementation="adapt_nlp.text_classification.task:text_classification",
            params=TextClassificationParams,
            loop="hf",
            metrics={
                "accuracy": "higher",
                "macro_f1": "higher",
                "f1": "higher",
                "precision": "higher",
                "recall": "higher",
            },
        ),
    ]
