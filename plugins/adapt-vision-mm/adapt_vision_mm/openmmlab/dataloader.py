"""How data sets are loaded for evaluation, and what every loader's worker processes need."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from adapt_core.config.core_params import TrainingParams
from adapt_core.distributed.world import World


def evaluation_loader(split: Any, training: TrainingParams, world: World) -> Any:
    """This process's share of a data set's batches of EVAL_BATCH_SIZE (BATCH_SIZE without it).

    Whole batches, so that several processes compute what one does: images are padded to the largest of their batch, and
    losses are divided by what a batch holds.
    """
    size = training.eval_batch_size or training.batch_size
    batches = [list(range(first, min(first + size, len(split)))) for first in range(0, len(split), size)]
    return DataLoader(
        split,
        batch_sampler=batches[world.rank :: world.size],
        collate_fn=pseudo_collate,
        **worker_options(training.num_workers),
    )


def worker_options(count: int) -> dict[str, Any]:
    """A loader's options for NUM_WORKERS."""
    # With a generator of its own a loader leaves torch's random state alone, so that a resumed run draws the same.
    options: dict[str, Any] = {"num_workers": count, "generator": torch.Generator()}
    return {**options, "worker_init_fn": _one_thread} if count else options


def _one_thread(_: int) -> None:
    """OpenCV's own threads would only fight over the cores that the workers share."""
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
