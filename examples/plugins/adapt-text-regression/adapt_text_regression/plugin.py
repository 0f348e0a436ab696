"""What adapt-text-regression registers. It imports nothing heavy."""

from __future__ import annotations

import attrs

from adapt_core.hf import TextParams
from adapt_core.plugin import TaskSpec, hookimpl, param


@attrs.frozen
class TextRegressionParams(TextParams):
    """Parameters of text_regression."""

    max_seq_length: int = param(128, "Longest text in tokens; longer ones are cut.", ge=8)


@hookimpl
def adapt_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="text_regression",
            summary="a number for each text",
            implementation="adapt_text_regression.task:TextRegression",
            params=TextRegressionParams,
            loop="hf",
            library="transformers",
            metrics={"rmse": "lower", "mae": "lower"},
        )
    ]
