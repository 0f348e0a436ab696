"""Losses as means over items (rows, tokens, windows), however the items fall into batches.

A model returns the mean loss over the items of one batch. A mean of such means is the mean over all items only where
every batch has as many: rows of uneven length break it for tokens, and the last batch of an epoch for everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from transformers.trainer_pt_utils import find_batch_size

from adapt_core.hf.data.labels import IGNORED


def count_items(batch: Mapping[str, Any], *, shifted: bool = False) -> torch.Tensor:
    """Return the number of items that the loss of a batch is a mean over: an int64 tensor without dimensions.

    Items are the labels that are not ignored; in a batch without `labels` (answers, with their positions) the rows.
    Labels that are floats are numbers to learn, all of which count: -100.0 is a number as any other.

    Args:
        batch: tensors by name.
        shifted: the model predicts each label from the tokens before it, so the first of a row is no item.
    """
    labels = batch.get("labels")
    if has_numbers(batch):
        return torch.tensor(batch["labels"].numel())
    if isinstance(labels, torch.Tensor):
        return (labels[..., 1:] if shifted else labels).ne(IGNORED).sum()
    return torch.tensor(find_batch_size(batch) or 0)


def has_numbers(batch: Mapping[str, Any]) -> bool:
    """Return whether the labels of a batch are floats: numbers to learn, or 1 and 0 for each of several labels."""
    labels = batch.get("labels")
    return isinstance(labels, torch.Tensor) and labels.is_floating_point()


class ItemShares:
    """The shares of the batches that one optimizer step accumulates, in all processes.

    Args:
        accelerator: of the Trainer.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._shares: deque[float] = deque()

    def of_step(self, items: Sequence[torch.Tensor]) -> None:
        """Take the items of the batches of the next step, in the order in which they are trained on."""
        own = [int(number) for number in items]
        processes = self._accelerator.num_processes
        total = sum(own)
        if processes > 1:
            total = int(self._accelerator.reduce(torch.tensor(total, device=self._accelerator.device), "sum"))
        self._shares = deque(number * processes / max(total, 1) for number in own)

    def next(self) -> float:
        """Return the factor of the next batch's mean loss.

        Losses multiplied by it add up to the mean over all items of the step, where processes average gradients.
        """
        return self._shares.popleft()


class EvaluatedItems:
    """The loss of an evaluation: the mean over all items of all batches.

    Args:
        accelerator: of the Trainer.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._sums = torch.zeros(2, dtype=torch.float64)

    def add(self, loss: torch.Tensor, items: torch.Tensor) -> None:
        """Add the mean loss of a batch of this process with its number (or weight) of items."""
        if items > 0:
            self._sums += torch.stack([loss.detach().cpu().double() * items.cpu().double(), items.cpu().double()])

    def include(self, others: EvaluatedItems) -> None:
        """Add the items of another evaluation by this process."""
        self._sums += others._sums

    def mean(self) -> float | None:
        """Return the mean over the items of all processes, or None where there was none."""
        total: torch.Tensor = self._accelerator.reduce(self._sums.to(self._accelerator.device), reduction="sum")
        return float(total[0] / total[1]) if total[1] > 0 else None
