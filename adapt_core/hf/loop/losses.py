"""The losses of one label, of several labels and of numbers, with weights or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from transformers.utils import ModelOutput


def weighted_cross_entropy(weights: Sequence[float] | None) -> Callable[..., torch.Tensor]:
    """Return a cross-entropy loss that weights rows by their class.

    Args:
        weights: by class id, or None for equal weights.

    Returns:
        a function of (outputs with `logits` (batch, classes), labels (batch,), or their shares of classes
        (batch, classes), and num_items_in_batch). The sum of weighted losses is divided by the rows of the whole
        accumulated batch where that number is given, else by the batch's sum of weights (as
        `torch.nn.CrossEntropyLoss` does for labels).
        Its `smoothing` is the share of each target that goes to all classes evenly (Szegedy et al., 2015,
        arXiv:1512.00567) where gradients are computed: the loss of an evaluation is without it.
    """
    table = None if weights is None else torch.tensor(weights, dtype=torch.float32)

    def loss(
        outputs: ModelOutput,
        labels: torch.Tensor,
        num_items_in_batch: torch.Tensor | int | None = None,
        smoothing: float = 0.0,
    ) -> torch.Tensor:
        logits = _logits(outputs)
        weight = None if table is None else table.to(logits.device)
        share = smoothing if torch.is_grad_enabled() else 0.0

        def entropy(reduction: str) -> torch.Tensor:
            return cross_entropy(logits, labels, weight=weight, label_smoothing=share, reduction=reduction)

        if num_items_in_batch is None and labels.is_floating_point() and weight is not None:
            # torch divides by the rows here, and by their weights where labels are ids.
            return entropy("sum") / (labels @ weight).sum()
        if num_items_in_batch is None:
            return entropy("mean")
        total = entropy("sum")
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


def binary_cross_entropy(weights: Sequence[float] | None) -> Callable[..., torch.Tensor]:
    """Return the mean binary cross-entropy over all labels of all rows, as `BCEWithLogitsLoss` has it.

    Args:
        weights: by label, of the rows that have it (`pos_weight`); None for equal ones.

    Returns:
        a function of (outputs with `logits` (rows, labels), labels, float of that shape, num_items_in_batch). Batches
        are weighed by the loop, so their items are not divided by here.
    """
    table = None if weights is None else torch.tensor(weights, dtype=torch.float32)

    def loss(
        outputs: ModelOutput, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        logits = _logits(outputs)
        weight = None if table is None else table.to(logits.device)
        return binary_cross_entropy_with_logits(logits, labels.float(), pos_weight=weight)

    return loss


def squared_error(
    outputs: ModelOutput, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Return the mean squared error over all numbers of all rows.

    Args:
        outputs: with `logits` (rows, numbers).
        labels: float, of that shape.
        num_items_in_batch: not used: batches are weighed by the loop.
    """
    return mse_loss(_logits(outputs), labels.float())


def mean_loss(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return a loss of rows as the loop calls it.

    Args:
        loss: (logits (rows, outputs), targets) -> the mean over rows.

    Returns:
        a function of (outputs with `logits`, labels, num_items_in_batch). Where that number is given, the sum is
        divided by it, the rows of the whole accumulated batch.
    """

    def mean(
        outputs: ModelOutput, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        value = loss(_logits(outputs), labels)
        return value if num_items_in_batch is None else value * len(labels) / num_items_in_batch

    return mean


def _logits(outputs: ModelOutput) -> torch.Tensor:
    logits: torch.Tensor = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
    return logits.float()
