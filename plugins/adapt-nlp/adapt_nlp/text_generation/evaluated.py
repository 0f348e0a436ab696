"""What an evaluation finds of the tokens of each document, or of each pack of documents where they are packed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy

from adapt_core.evaluated_rows import EvaluatedRows, sums

from adapt_nlp.text_generation.metrics import scores_of_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import EvalPrediction


def token_rows(prediction: EvalPrediction, _rows: object) -> EvaluatedRows:
    """Return what was found of tokens: their losses and hits.

    Args:
        prediction: `predictions` are the rows of `token_sums`.
    """
    table = numpy.asarray(prediction.predictions, dtype=numpy.float64)

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        return scores_of_sums(sums(table, sample))

    losses, hits, targets = table.T
    nothing = [None] * len(table)
    return EvaluatedRows(
        kind="tokens",
        rows=range(len(table)),
        expected=nothing,
        predicted=nothing,
        ratios={"loss": (losses, targets), "token_accuracy": (hits, targets)},
        measure=measure,
    )
