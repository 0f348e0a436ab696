"""Loss, perplexity and token accuracy over all targets, from three numbers a row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy
import torch
from torch.nn.functional import cross_entropy

from adapt_core.hf.data.labels import IGNORED

if TYPE_CHECKING:
    from transformers import EvalPrediction


def token_sums(logits: torch.Tensor | tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """Return the sum of losses, the hits and the targets of each row: a float32 tensor (rows, 3).

    Computed on the device, so that evaluation keeps three numbers a row.

    Args:
        logits: float tensor (rows, length, vocabulary), or a tuple that begins with it.
        labels: int tensor (rows, length); the logits of the token before predict each.
    """
    scores = logits[0] if isinstance(logits, tuple) else logits
    rows = []
    for row, wanted in zip(scores[:, :-1], labels[:, 1:], strict=True):
        is_target = wanted.ne(IGNORED)
        predicted, targets = row[is_target].float(), wanted[is_target]
        loss = cross_entropy(predicted, targets, reduction="sum")
        hits = predicted.argmax(dim=-1).eq(targets).sum()
        rows.append(torch.stack([loss, hits.to(loss.dtype), is_target.sum().to(loss.dtype)]))
    return torch.stack(rows)


def language_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Return the mean loss over all targets (nats), its exponential, and the share of targets predicted.

    Args:
        prediction: `predictions` are the rows of `token_sums`.
    """
    loss_sum, hits, targets = numpy.asarray(prediction.predictions, dtype=numpy.float64).sum(axis=0)
    loss = loss_sum / targets
    return {
        "loss": float(loss),
        "perplexity": math.exp(loss) if loss < 700 else math.inf,
        "token_accuracy": float(hits / targets),
    }
