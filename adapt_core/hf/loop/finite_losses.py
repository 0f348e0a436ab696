"""A loss that is not finite stops training before it reaches a checkpoint; the error names the rows of its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from adapt_core.errors import InputError, first_of

_SHOWN = 32


class FiniteLossCallback(TrainerCallback):
    """Checks the loss of every batch: at once on a CPU, on a GPU when metrics are logged or a checkpoint is due.

    Reading a loss blocks the GPU, so losses are kept there until then.

    Args:
        rows_of: indices of training examples -> the indices of the rows that are in them.
    """

    def __init__(self, rows_of: Callable[[Sequence[int]], Iterable[int]]) -> None:
        self._rows_of = rows_of
        self._waiting: list[tuple[int, torch.Tensor]] = []

    def see_loss(self, step: int, loss: torch.Tensor) -> None:
        """Keep the loss of a batch; `step` is the number of optimizer steps before it."""
        self._waiting.append((step, loss.detach()))

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: DataLoader[Any] | None = None,
        **_: object,
    ) -> None:
        at_once = all(loss.device.type == "cpu" for _, loss in self._waiting)
        if at_once or control.should_log or control.should_save:
            self._check(args, train_dataloader)

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: DataLoader[Any] | None = None,
        **_: object,
    ) -> None:
        self._check(args, train_dataloader)

    def _check(self, args: TrainingArguments, loader: DataLoader[Any] | None) -> None:
        """Raise InputError at the first loss that is not finite."""
        waiting, self._waiting = self._waiting, []
        for step, loss in waiting:
            if not bool(torch.isfinite(loss)):
                rows = sorted({row + 1 for row in self._rows_of(_examples(args, loader, step))})
                raise InputError(
                    f"the training loss is not finite at step {step + 1}, in training rows {first_of(rows, _SHOWN)}: "
                    "lower LR, raise WARMUP_RATIO, or look for extreme values in those rows. "
                    "Earlier checkpoints are kept."
                )


def _examples(args: TrainingArguments, loader: DataLoader[Any] | None, step: int) -> list[int]:
    """The indices of the training examples of an optimizer step. Draws the order of its epoch again."""
    assert loader is not None
    accumulation = args.gradient_accumulation_steps
    steps_per_epoch = -(-len(loader) // accumulation)
    epoch, inside = divmod(step, steps_per_epoch)
    if hasattr(loader, "set_epoch"):
        loader.set_epoch(epoch)
    assert loader.batch_sampler is not None
    batches = islice(iter(loader.batch_sampler), inside * accumulation, (inside + 1) * accumulation)
    return [example for batch in batches for example in batch]
