"""The specs of core's metrics. Imports nothing heavy."""

from __future__ import annotations

import math

from adapt_core.plugin.metric_spec import MetricSpec

SHARE = (0.0, 1.0)
ERROR = (0.0, math.inf)
CORRELATION = (-1.0, 1.0)
_CLASS, _EITHER, _LABELS = ("class",), ("class", "labels"), ("labels",)


def _of_labels(
    name: str,
    summary: str,
    kinds: tuple[str, ...],
    *,
    function: str | None = None,
    bounds: tuple[float, float] = SHARE,
    aliases: tuple[str, ...] = (),
) -> MetricSpec:
    by_row = name in ("accuracy", "jaccard", "subset_accuracy")
    implementation = f"adapt_core.metrics.labels:{function or name}"
    return MetricSpec(
        name=name,
        summary=summary,
        kinds=kinds,
        implementation=implementation,
        bounds=bounds,
        aliases=aliases,
        mean_of_rows=by_row,
    )


def _of_numbers(name: str, summary: str, function: str, aliases: tuple[str, ...] = ()) -> MetricSpec:
    return MetricSpec(
        name=name,
        summary=summary,
        kinds=("numbers",),
        implementation=f"adapt_core.metrics.numbers:{function}",
        direction="lower",
        bounds=ERROR,
        aliases=aliases,
    )


SPECS = [
    _of_labels("accuracy", "share of rows whose class is right", _CLASS),
    _of_labels("balanced_accuracy", "mean over the classes of the share of their rows that is right", _CLASS),
    _of_labels(
        "mcc",
        "Matthews correlation of classes",
        _CLASS,
        function="matthews",
        bounds=CORRELATION,
        aliases=("matthews_correlation",),
    ),
    _of_labels(
        "cohen_kappa", "agreement beyond chance", _CLASS, function="kappa", bounds=CORRELATION, aliases=("kappa",)
    ),
    _of_labels("macro_f1", "mean F1 of the classes or labels", _EITHER, aliases=("f1_macro",)),
    _of_labels("micro_f1", "F1 of all classes or labels together", _EITHER, aliases=("f1_micro",)),
    _of_labels("weighted_f1", "mean F1 of the classes or labels, by their rows", _EITHER, aliases=("f1_weighted",)),
    _of_labels("macro_precision", "mean precision of the classes or labels", _EITHER),
    _of_labels("macro_recall", "mean recall of the classes or labels", _EITHER),
    _of_labels("jaccard", "mean over rows of the share of labels, had or given, that are both", _LABELS),
    _of_labels("subset_accuracy", "share of rows with all labels right", _LABELS),
    _of_numbers("max_error", "largest error", "max_error"),
    _of_numbers("median_absolute_error", "median of the errors", "median_absolute_error", ("medae",)),
    _of_numbers("mape", "mean error over the size of the true number", "mean_absolute_percentage_error"),
]
