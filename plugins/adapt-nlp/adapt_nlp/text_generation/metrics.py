"""Loss, perplexity and token accuracy over all targets, from three numbers a row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy
import torch
from torch.nn.functional import pad

from adapt_core.hf.data.labels import IGNORED
from adapt_core.hf.loop.output_layer import label_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import EvalPrediction


def token_sums(logits: torch.Tensor | tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """Return the sum of losses, the hits and the targets of each row: a float32 tensor (rows, 3).

    Computed on the device, so that evaluation keeps three numbers a row.

    Args:
        logits: float tensor (rows, length, vocabulary), or a tuple that begins with it.
        labels: int tensor (rows, length); the logits of the token before predict each.
    """
    scores = logits[0] if isinstance(logits, tuple) else logits
    wanted = pad(labels, (0, 1), value=IGNORED)[:, 1:]  # As transformers shifts them for its loss.
    losses, hits = label_scores(scores, wanted, IGNORED)
    columns = losses.sum(1), hits.sum(1), wanted.ne(IGNORED).sum(1)
    return torch.stack([column.float() for column in columns], dim=1)


def language_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Return the mean loss over all targets (nats), its exponential, and the share of targets predicted.

    Args:
        prediction: `predictions` are the rows of `token_sums`.
    """
    return scores_of_sums(numpy.asarray(prediction.predictions, dtype=numpy.float64).sum(axis=0))


def scores_of_sums(sums: NDArray[numpy.float64]) -> dict[str, float]:
    """Return the metrics of the sums of losses, hits and targets: (3,); see `language_metrics`."""
    loss_sum, hits, targets = sums
    loss = loss_sum / targets
    return {
        "loss": float(loss),
        "perplexity": math.exp(loss) if loss < 700 else math.inf,
        "token_accuracy": float(hits / targets),
    }
