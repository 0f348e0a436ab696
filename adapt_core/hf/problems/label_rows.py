"""What an evaluation finds of each row that has several labels, or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.hf.problems.scores import Array, label_scores, number_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SORTING = 20.0
"""What it takes to sort a number among thousands, where 1 is to look one up."""


def label_rows(names: Sequence[str], truth: Array, predicted: Array, scores: Array) -> EvaluatedRows:
    """Return what was found of rows with several labels. The confidence is that of the least certain label.

    Args:
        names: of the labels.
        truth, predicted: 1 or 0 (rows, labels).
        scores: probabilities (rows, labels).
    """

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        return label_scores(truth[sample], predicted[sample], scores[sample])

    right = (truth == predicted).all(axis=1)
    micro = 2 * (truth * predicted).sum(axis=1), truth.sum(axis=1) + predicted.sum(axis=1)
    certain = numpy.where(predicted > 0, scores, 1 - scores).min(axis=1, initial=1.0)
    return EvaluatedRows(
        kind="labels",
        rows=range(len(truth)),
        expected=_named(names, truth),
        predicted=_named(names, predicted),
        confidence=certain.tolist(),
        right=right.tolist(),
        scores=scores.astype(numpy.float32),
        labels=tuple(names),
        ratios={"micro_f1": micro, "subset_accuracy": (right.astype(float), numpy.ones(len(right)))},
        cost=_SORTING * max(1, len(names)),
        measure=measure,
    )


def number_rows(names: Sequence[str], truth: Array, predicted: Array) -> EvaluatedRows:
    """Return what was found of rows with numbers.

    Args:
        names: of the numbers.
        truth, predicted: (rows, numbers).
    """

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        return number_scores(truth[sample], predicted[sample])

    errors = {"mse": (predicted - truth) ** 2, "mae": abs(predicted - truth)}
    return EvaluatedRows(
        kind="numbers",
        rows=range(len(truth)),
        expected=truth.tolist(),
        predicted=predicted.tolist(),
        labels=tuple(names),
        ratios={name: (each.mean(axis=1), numpy.ones(len(each))) for name, each in errors.items()},
        cost=_SORTING * max(1, len(names)),
        measure=measure,
    )


def _named(names: Sequence[str], given: Array) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in given]
    for row, label in zip(*numpy.nonzero(given), strict=True):
        found[row].append(names[label])
    return found
