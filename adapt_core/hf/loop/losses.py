"""The loss of classification, with class weights or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers.utils import ModelOutput


def weighted_cross_entropy(weights: Sequence[float] | None) -> Callable[..., torch.Tensor]:
    """Return a cross-entropy loss that weights rows by their class.

    Args:
        weights: by class id, or None for equal weights.

    Returns:
        a function of (outputs with `logits` (batch, classes), labels (batch,), num_items_in_batch). The sum of
        weighted losses is divided by the rows of the whole accumulated batch where that number is given, else by
        the batch's sum of weights (as `torch.nn.CrossEntropyLoss` does).
    """
    table = None if weights is None else torch.tensor(weights, dtype=torch.float32)

    def loss(
        outputs: ModelOutput, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
        weight = None if table is None else table.to(logits.device)
        if num_items_in_batch is None:
            mean: torch.Tensor = cross_entropy(logits.float(), labels, weight=weight)
            return mean
        total: torch.Tensor = cross_entropy(logits.float(), labels, weight=weight, reduction="sum")
        return total.div(num_items_in_batch)

    return loss


def class_weight_sum(weights: Sequence[float]) -> Callable[[Mapping[str, Any]], torch.Tensor]:
    """Return a function of a batch with `labels` (rows,): the sum of their class weights, which its loss is divided by.

    Args:
        weights: by class id.
    """
    table = torch.tensor(weights, dtype=torch.float32)

    def weigh(batch: Mapping[str, Any]) -> torch.Tensor:
        labels: torch.Tensor = batch["labels"]
        return table.to(labels.device)[labels].sum()

    return weigh
