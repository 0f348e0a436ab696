"""Metrics of classes, and of several labels of a row: a class counts as a list of one label.

Means over labels are over those that a row has or is given. A share of nothing is 0. The values are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

Named = Sequence[str] | Sequence[Sequence[str]]
"""Of each row the name of its class, or the names of its labels."""

_Array = NDArray[numpy.float64]


def accuracy(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return the share of rows whose class is right."""
    return float((numpy.asarray(predicted, dtype=object) == numpy.asarray(expected, dtype=object)).mean())


def balanced_accuracy(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return the mean over the classes of the share of their rows that is right (Brodersen et al., 2010)."""
    table = _confusion(predicted, expected)
    rows = table.sum(axis=1)
    return float((table.diagonal()[rows > 0] / rows[rows > 0]).mean())


def matthews(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return the Matthews correlation of classes, -1 to 1; 0 where all rows have or are given one class.

    Of several classes it is Gorodkin's (2004).
    """
    table = _confusion(predicted, expected)
    rows, given, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    spread = (total**2 - (given**2).sum()) * (total**2 - (rows**2).sum())
    return float((table.trace() * total - rows @ given) / spread**0.5) if spread > 0 else 0.0


def kappa(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return Cohen's kappa (1960): the agreement beyond that of chance, at most 1; 0 where chance agrees wholly."""
    table = _confusion(predicted, expected)
    total = table.sum()
    by_chance = float(table.sum(axis=1) @ table.sum(axis=0) / total**2)
    return (float(table.trace() / total) - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def macro_f1(predicted: Named, expected: Named) -> float:
    """Return the mean F1 of the labels."""
    return mean_f1(*_counts(predicted, expected))


def mean_f1(rows: NDArray[Any], given: NDArray[Any], right: NDArray[Any]) -> float:
    """Return the mean F1 of labels, of those that a row has or is given; 0 where there is none.

    Args:
        rows: that have each label (labels,).
        given: that are given it.
        right: that are given it rightly.
    """
    both = rows + given
    occur = both > 0
    return float((2 * right[occur] / both[occur]).mean()) if occur.any() else 0.0


def weighted_f1(predicted: Named, expected: Named) -> float:
    """Return the mean F1 of the labels, each weighed by its rows."""
    rows, given, right = _counts(predicted, expected)
    return float((rows * 2 * right / (rows + given)).sum() / rows.sum()) if rows.sum() else 0.0


def micro_f1(predicted: Named, expected: Named) -> float:
    """Return the F1 of all labels of all rows together."""
    rows, given, right = _counts(predicted, expected)
    return float(2 * right.sum() / max((rows + given).sum(), 1))


def macro_precision(predicted: Named, expected: Named) -> float:
    """Return the mean over the labels of the share of rows given one that have it."""
    _, given, right = _counts(predicted, expected)
    return float((right / numpy.maximum(given, 1)).mean()) if len(given) else 0.0


def macro_recall(predicted: Named, expected: Named) -> float:
    """Return the mean over the labels of the share of rows with one that are given it."""
    rows, _, right = _counts(predicted, expected)
    return float((right / numpy.maximum(rows, 1)).mean()) if len(rows) else 0.0


def jaccard(predicted: Sequence[Sequence[str]], expected: Sequence[Sequence[str]]) -> float:
    """Return the mean over rows of the share of their labels, had or given, that are both; 1 where there are none."""
    pairs = [(set(found), set(wanted)) for found, wanted in zip(predicted, expected, strict=True)]
    shares = [len(found & wanted) / len(found | wanted) if found | wanted else 1.0 for found, wanted in pairs]
    return float(numpy.mean(shares))


def subset_accuracy(predicted: Sequence[Sequence[str]], expected: Sequence[Sequence[str]]) -> float:
    """Return the share of rows whose labels are all right, and no others given."""
    return float(numpy.mean([set(found) == set(wanted) for found, wanted in zip(predicted, expected, strict=True)]))


def _labels(row: str | Sequence[str]) -> set[str]:
    return {row} if isinstance(row, str) else set(row)


def _counts(predicted: Named, expected: Named) -> tuple[_Array, _Array, _Array]:
    """Return of each label the rows that have it, those that are given it, and those that are given it rightly."""
    pairs = [(_labels(found), _labels(wanted)) for found, wanted in zip(predicted, expected, strict=True)]
    numbers = {name: number for number, name in enumerate(sorted(set().union(*(one | other for one, other in pairs))))}
    counts = numpy.zeros((3, len(numbers)))
    for found, wanted in pairs:
        for count, names in zip(counts, (wanted, found, found & wanted), strict=True):
            for name in names:
                count[numbers[name]] += 1
    return counts[0], counts[1], counts[2]


def _confusion(predicted: Sequence[str], expected: Sequence[str]) -> _Array:
    """Return counts, a row for each class that a row has or is given, and a column for each that is given."""
    numbers = {name: number for number, name in enumerate(sorted({*predicted, *expected}))}
    table = numpy.zeros((len(numbers), len(numbers)))
    for found, wanted in zip(predicted, expected, strict=True):
        table[numbers[wanted], numbers[found]] += 1
    return table
