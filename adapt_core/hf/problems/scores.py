"""Metrics of several labels and of numbers. Their values are scikit-learn's and scipy's, whose imports take seconds."""

from __future__ import annotations

import numpy
from numpy.typing import NDArray

from adapt_core.metrics.labels import mean_f1

Array = NDArray[numpy.float64]


def label_counts(truth: Array, predicted: Array) -> tuple[Array, Array, Array]:
    """Return for each label the rows that have it, those that are given it, and those that are given it rightly.

    Args:
        truth, predicted: 1 or 0 (rows, labels).
    """
    return truth.sum(axis=0), predicted.sum(axis=0), (truth * predicted).sum(axis=0)


def label_scores(truth: Array, predicted: Array, scores: Array) -> dict[str, float]:
    """Return macro-F1, micro-F1, mean average precision, and the share of rows with all labels right.

    Macro-F1 is the mean over the labels that a row has or is given, mAP over those that a row has; 0 where there is
    none.

    Args:
        truth, predicted: 1 or 0 (rows, labels).
        scores: probabilities (rows, labels).
    """
    rows, given, right = label_counts(truth, predicted)
    precisions = average_precisions(truth, scores)[rows > 0]
    return {
        "macro_f1": mean_f1(rows, given, right),
        "micro_f1": float(2 * right.sum() / max((rows + given).sum(), 1)),
        "mAP": float(precisions.mean()) if len(precisions) else 0.0,
        "subset_accuracy": float((truth == predicted).all(axis=1).mean()),
    }


def average_precisions(truth: Array, scores: Array) -> Array:
    """Return the average precision of each label, 0 where no row has it.

    It is the sum over the distinct scores of a label of the precision at it, weighed by the recall that it adds,
    without interpolation (as `average_precision_score` of scikit-learn).

    Args:
        truth: 1 or 0 (rows, labels).
        scores: (rows, labels), higher where a label is more likely.
    """
    return numpy.array([_average_precision(has, own) for has, own in zip(truth.T, scores.T, strict=True)])


def _average_precision(truth: Array, scores: Array) -> float:
    positives = truth.sum()
    if not positives:
        return 0.0
    order = numpy.argsort(-scores, kind="stable")
    ends = numpy.append(numpy.flatnonzero(numpy.diff(scores[order])), len(order) - 1)
    right = truth[order].cumsum()[ends]
    return float((numpy.diff(right, prepend=0.0) * right / (ends + 1)).sum() / positives)


def number_scores(truth: Array, predicted: Array) -> dict[str, float]:
    """Return the errors of numbers, R2, and Pearson's and Spearman's correlation, each the mean over the numbers.

    `rmse` is the root of `mse`. R2 of numbers that are all the same is 0, or 1 where all are predicted exactly;
    a correlation with numbers that are all the same is 0.

    Args:
        truth, predicted: (rows, numbers).
    """
    errors = number_errors(truth, predicted)
    mse = float(errors["mse"].mean())
    means = {name: float(values.mean()) for name, values in errors.items()}
    return {**means, "rmse": mse**0.5}


def number_errors(truth: Array, predicted: Array) -> dict[str, Array]:
    """Return the scores of `number_scores` of each number, arrays (numbers,)."""
    off = predicted - truth
    mse = (off**2).mean(axis=0)
    ranks, predicted_ranks = (numpy.apply_along_axis(_ranks, 0, values) for values in (truth, predicted))
    return {
        "rmse": mse**0.5,
        "mse": mse,
        "mae": abs(off).mean(axis=0),
        "r2": _explained(mse, truth.var(axis=0)),
        "pearson": _correlation(truth, predicted),
        "spearman": _correlation(ranks, predicted_ranks),
    }


def _explained(mse: Array, variance: Array) -> Array:
    varies = variance > 0
    share: Array = 1 - mse / numpy.where(varies, variance, 1.0)
    return numpy.where(varies, share, numpy.where(mse == 0, 1.0, 0.0))


def _correlation(one: Array, other: Array) -> Array:
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    size = ((one**2).sum(axis=0) * (other**2).sum(axis=0)) ** 0.5
    together: Array = (one * other).sum(axis=0)
    return numpy.where(size > 0, together / numpy.where(size > 0, size, 1.0), 0.0).clip(-1.0, 1.0)


def _ranks(values: Array) -> Array:
    """Return the rank of each value from 0, the mean of their ranks to equal ones."""
    _, numbers, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    middle: Array = (last - 1 + last - counts) / 2
    return middle[numbers]
