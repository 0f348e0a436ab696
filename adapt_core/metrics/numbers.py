"""Metrics of numbers, each the mean over the numbers of a row; their values are scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

Rows = Sequence[Sequence[float]]
"""Of each row its numbers."""


def max_error(predicted: Rows, expected: Rows) -> float:
    """Return the largest error."""
    return float(_errors(predicted, expected).max(axis=0).mean())


def median_absolute_error(predicted: Rows, expected: Rows) -> float:
    """Return the median of the errors, which a few outliers do not move."""
    return float(numpy.median(_errors(predicted, expected), axis=0).mean())


def mean_absolute_percentage_error(predicted: Rows, expected: Rows) -> float:
    """Return the mean of the errors over the size of the true numbers; 1 is 100 %."""
    size = numpy.maximum(abs(numpy.asarray(expected, dtype=numpy.float64)), numpy.finfo(numpy.float64).eps)
    return float((_errors(predicted, expected) / size).mean())


def _errors(predicted: Rows, expected: Rows) -> NDArray[numpy.float64]:
    errors: NDArray[numpy.float64] = abs(
        numpy.asarray(predicted, dtype=numpy.float64) - numpy.asarray(expected, dtype=numpy.float64)
    )
    return errors
