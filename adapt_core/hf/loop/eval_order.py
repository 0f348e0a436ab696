"""Predictions in the order of the rows, where an evaluation took the rows in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy
from numpy.typing import NDArray
from transformers import EvalPrediction

_Arrays: TypeAlias = "NDArray[numpy.generic] | tuple[_Arrays, ...] | list[_Arrays] | None"


def restore_row_order(prediction: EvalPrediction, order: Sequence[int]) -> EvalPrediction:
    """Return a prediction with the result of row n at index n.

    Args:
        prediction: arrays, or tuples of arrays, over rows in the order of the evaluation.
        order: the row index of each of them.
    """
    positions = numpy.argsort(order)
    held = (prediction.predictions, prediction.label_ids, prediction.inputs, prediction.losses)
    return EvalPrediction(*(_take(values, positions) for values in held))


def _take(values: _Arrays, positions: NDArray[numpy.intp]) -> _Arrays:
    if isinstance(values, (tuple, list)):
        return tuple(_take(value, positions) for value in values)
    return None if values is None else values[positions]
