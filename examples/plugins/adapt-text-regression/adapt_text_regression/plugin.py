"""What adapt-text-regression registers. It imports nothing heavy."""

from __future__ import annotations

import attrs

from adapt_core.hf import HF_LOOP, TextParams
from adapt_core.plugin import TaskSpec, hookimpl, param

METRICS = {"rmse": "lower", "mae": "lower"}
"""The metrics of a run, the one that selects the best checkpoint first."""


@attrs.frozen
class TextRegressionParams(TextParams):
    """Parameters of text_regression."""

    max_seq_length: int = param(128, "Longest text in tokens; longer ones are truncated.", ge=8)


@hookimpl
def adapt_tasks() -> list[TaskSpec]:
    """Return the spec of text_regression."""
    return [
        TaskSpec(
            name="text_regression",
            summary="a number for each text",
            implementation="adapt_text_regression.task:TextRegression",
            params=TextRegressionParams,
            loop=HF_LOOP,
            library="transformers",
            metrics=METRICS,
        )
    ]
