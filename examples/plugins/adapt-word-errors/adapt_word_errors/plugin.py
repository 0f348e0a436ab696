"""What adapt asks of this distribution. It imports no torchmetrics: a run that chooses the metric does."""

from __future__ import annotations

import math

from adapt_core.plugin import MetricSpec, hookimpl

adapt_hook_api = 4


@hookimpl
def adapt_metric_specs() -> list[MetricSpec]:
    """Return the spec of the metric."""
    return [
        MetricSpec(
            name="word_error_rate",
            aliases=("wer",),
            summary="words to change, add or drop in the text, for each expected word",
            kinds=("text",),
            implementation="adapt_word_errors.metric:word_error_rate",
            direction="lower",
            bounds=(0, math.inf),
        )
    ]
