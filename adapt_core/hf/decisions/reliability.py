"""How far confidences are from the share of rows that are right: the expected calibration error, and its curve.

ECE over bins of equal width is by Naeini et al. (2015) and Guo et al. (2017), that over bins of equal numbers of rows
by Nixon et al. (2019: Measuring calibration in deep learning), who call it adaptive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy
from numpy.typing import NDArray

Confidences = NDArray[numpy.float64]
Right = NDArray[numpy.bool_]

BINS = 15
"""As in Guo et al."""


class Bin(TypedDict):
    """Rows of like confidence: their number, the mean of their confidences, and the share of them that is right."""

    rows: int
    confidence: float
    accuracy: float


def reliability(confidences: Confidences, right: Right) -> list[Bin]:
    """Return the bins of equal width, (0, 1/15] to (14/15, 1], that have rows.

    Args:
        confidences: probability of each row's predicted class (rows,).
        right: whether that is its class (rows,).
    """
    numbers = numpy.clip(numpy.ceil(confidences * BINS).astype(int) - 1, 0, BINS - 1)
    return _bins([numpy.flatnonzero(numbers == number) for number in range(BINS)], confidences, right)


def adaptive_reliability(confidences: Confidences, right: Right) -> list[Bin]:
    """Return bins of equal numbers of rows, in the order of their confidences."""
    order = numpy.argsort(confidences, kind="stable")
    return _bins(numpy.array_split(order, BINS), confidences, right)


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean distance of confidence and accuracy over the rows of all bins; 0 of none."""
    rows = sum(each["rows"] for each in bins)
    return sum(each["rows"] * abs(each["confidence"] - each["accuracy"]) for each in bins) / max(rows, 1)


def _bins(members: Sequence[NDArray[numpy.intp]], confidences: Confidences, right: Right) -> list[Bin]:
    return [
        {
            "rows": len(rows),
            "confidence": float(confidences[rows].mean()),
            "accuracy": float(right[rows].mean()),
        }
        for rows in members
        if len(rows)
    ]
