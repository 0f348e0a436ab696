"""The loss on a validation split, for METRIC_FOR_BEST: loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

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
        outputs = (model._run_forward(model.data_preprocessor(batch, True), mode="loss") for batch in batches)
        return [float(model.parse_losses(losses)[0]) for losses in outputs]


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
