"""The loss on a validation split, for METRIC_FOR_BEST: loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from adapt_core.nn.random_state import seed_everything, untouched_random_state

if TYPE_CHECKING:
    from mmengine.model import BaseModel


def batch_losses(model: BaseModel, batches: Iterable[dict[str, Any]]) -> list[float]:
    """Return the loss of each batch, as one process computes it.

    Args:
        model: in evaluation mode; the caller disables gradients.
        batches: prepared as for training, because a test pipeline leaves the coordinates of objects in the pixels of
            the file and makes no targets.
    """
    with _single_process():
        # A preprocessor pads masks to the size of the batch in training only. It augments nothing: see `fit_images`.
        return [_loss(model, model.data_preprocessor(batch, True)) for batch in batches]


def _loss(model: BaseModel, prepared: dict[str, Any]) -> float:
    with _with_what_its_loss_needs(model):
        return float(model.parse_losses(model._run_forward(prepared, mode="loss"))[0])


@contextmanager
def _with_what_its_loss_needs(model: BaseModel) -> Iterator[None]:
    """Let a transformer make what its loss takes beside its outputs, which mmdet's do in training mode alone.

    Its parts stay in evaluation mode, and what it draws (DINO's noisy boxes) is the same for each batch.
    """
    if not hasattr(model, "pre_transformer"):
        yield
        return
    with untouched_random_state():
        seed_everything(0)
        model.training = True
        try:
            yield
        finally:
            model.training = False


@contextmanager
def _single_process() -> Iterator[None]:
    """Hide the other processes from heads within a context: they may have a batch less and would not answer.

    Most heads divide their losses by counts averaged over the processes.
    """
    known = torch.distributed.is_initialized
    torch.distributed.is_initialized = lambda: False
    try:
        yield
    finally:
        torch.distributed.is_initialized = known
