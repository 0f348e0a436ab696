"""Loss, perplexity and token accuracy over all targets, from three numbers a row."""

from __future__ import annotations

import math
from typing import Any

import numpy
import torch
from torch.nn.functional import cross_entropy

from adapt_nlp.text_generation.data import IGNORED

METRICS = {"perplexity": "lower", "token_accuracy": "higher"}


def token_sums(logits: Any, labels: torch.Tensor) -> torch.Tensor:
    """Sum of losses, hits, and targets of each row, on the device, so that evaluation keeps three numbers a row.

    Args:
        logits: float tensor (rows, length, words), or a tuple whose first element it is.
        labels: int tensor (rows, length); each is predicted by the logits one place before it.

    Returns:
        float32 tensor (rows, 3).
    """
    scores = logits[0] if isinstance(logits, tuple) else logits
    rows = []
    for row, wanted in zip(scores[:, :-1], labels[:, 1:], strict=True):
        places = wanted.ne(IGNORED)
        at, target = row[places].float(), wanted[places]
        loss = cross_entropy(at, target, reduction="sum")
        hits = at.argmax(dim=-1).eq(target).sum()
        rows.append(torch.stack([loss, hits.to(loss.dtype), places.sum().to(loss.dtype)]))
    return torch.stack(rows)


def language_metrics(prediction: Any) -> dict[str, float]:
    """Mean loss over all targets (nats), its exponential, and the share of targets that are the likeliest token.

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
