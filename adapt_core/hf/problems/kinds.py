"""The kinds of problems, by their names in a config and in transformers, and the metrics of each."""

from __future__ import annotations

import math
from collections.abc import Iterable

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.evaluation import OF_PLACE

AUTO = "auto"
SINGLE_LABEL = "single_label"
MULTI_LABEL = "multi_label"
REGRESSION = "regression"
KINDS = (SINGLE_LABEL, MULTI_LABEL, REGRESSION)
IN_TRANSFORMERS = {
    SINGLE_LABEL: "single_label_classification",
    MULTI_LABEL: "multi_label_classification",
    REGRESSION: "regression",
}
"""Kind -> `problem_type` in the config of a transformers model."""

PREDICTIONS = {SINGLE_LABEL: "class", MULTI_LABEL: "labels", REGRESSION: "numbers"}
"""Kind -> what is predicted of a row, as `adapt_core.evaluated_rows.EvaluatedRows` calls it."""

MULTI_LABEL_METRICS = {"macro_f1": "higher", "micro_f1": "higher", "mAP": "higher", "subset_accuracy": "higher"}
REGRESSION_METRICS = {
    "rmse": "lower",
    "mse": "lower",
    "mae": "lower",
    "r2": "higher",
    "pearson": "higher",
    "spearman": "higher",
}
"""Metric -> what is better, the one that selects the best checkpoint first."""

METRICS = {**MULTI_LABEL_METRICS, **REGRESSION_METRICS}
_SHARE, _ERROR, _CORRELATION = (0.0, 1.0), (0.0, math.inf), (-1.0, 1.0)
BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(MULTI_LABEL_METRICS, _SHARE),
    **dict.fromkeys(("rmse", "mse", "mae"), _ERROR),
    "r2": (-math.inf, 1.0),
    **dict.fromkeys(("pearson", "spearman"), _CORRELATION),
}
"""Metric -> its least and its greatest value."""


def predictions_of(problem_type: str) -> tuple[str, ...]:
    """Return what a run predicts, or may predict where its data decides (problem_type: auto)."""
    return tuple(name for kind, name in PREDICTIONS.items() if problem_type in (kind, IN_TRANSFORMERS[kind], AUTO))


def require_metric(plan: Plan, reported: Iterable[str]) -> None:
    """Check that a run reports METRIC_FOR_BEST.

    Args:
        plan: for METRIC_FOR_BEST.
        reported: the metrics of the run, without `loss` and those of METRICS.

    Raises:
        InputError: it does not.
    """
    wanted = plan.training.metric_for_best
    further = (name for metric in plan.metrics for name in metric.figures)
    known = dict.fromkeys(("loss", *reported, *further))
    metric = (wanted or "").removeprefix("eval_").casefold().partition(OF_PLACE)[0]
    if wanted is not None and metric not in {name.casefold() for name in known}:
        raise InputError(f"METRIC_FOR_BEST: this run reports {', '.join(known)}; not {wanted!r}. Name one of them.")
