"""The loss on a validation split, as METRIC_FOR_BEST: loss asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


def batch_losses(model: Any, batches: Iterable[Any]) -> list[float]:
    """The loss of each batch, in evaluation mode, as one process computes it.

    Args:
        model: of mmdet or mmpose, in evaluation mode; the caller keeps gradients off.
        batches: prepared as for training, because a pipeline of predictions leaves objects in the pixels of the file
            and makes no targets.
    """
    with _alone():
        # Only for training does a preprocessor pad masks to the size of the batch. It varies nothing: see `fit_images`.
        outputs = (model._run_forward(model.data_preprocessor(batch, True), mode="loss") for batch in batches)
        return [float(model.parse_losses(losses)[0]) for losses in outputs]


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps heads from asking the other processes, which may have a batch less and would not answer.

    Most divide their losses by counts that they average over the processes.
    """
    known = torch.distributed.is_initialized
    torch.distributed.is_initialized = lambda: False
    try:
        yield
    finally:
        torch.distributed.is_initialized = known
