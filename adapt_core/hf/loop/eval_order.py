"""Predictions of rows that were evaluated in another order, put back into the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
from transformers import EvalPrediction


def in_row_order(prediction: EvalPrediction, order: Sequence[int]) -> EvalPrediction:
    """Return the outputs of an evaluation, with the result of row n at n.

    Args:
        prediction: arrays, or tuples of arrays, over rows in the order of the evaluation.
        order: the row that each of them belongs to.
    """
    places = numpy.argsort(order)
    return EvalPrediction(
        predictions=_taken(prediction.predictions, places), label_ids=_taken(prediction.label_ids, places)
    )


def _taken(values: Any, places: Any) -> Any:
    if isinstance(values, (tuple, list)):
        return tuple(_taken(value, places) for value in values)
    return None if values is None else values[places]
