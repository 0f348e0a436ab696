"""Batches of a dataset for training and evaluation, and the options of every loader's worker processes."""

from __future__ import annotations

from typing import Any, cast

import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, Dataset

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.distributed.world import World
from adapt_core.hf.data.resampling import Shares
from adapt_core.runtime.cores import loading_processes

from adapt_vision_mm.openmmlab.contracts import MmDataset
from adapt_vision_mm.openmmlab.sampler import EpochSampler


def evaluation_loader(dataset: MmDataset, training: TrainingParams, world: World) -> DataLoader[dict[str, Any]]:
    """Return this process's share of a dataset's batches of EVAL_BATCH_SIZE (default: BATCH_SIZE).

    Processes share whole batches, so that several compute what one does: images are padded to the largest of their
    batch, and losses are divided by the size of the batch.
    """
    size = training.eval_batch_size or training.batch_size
    batches = [list(range(first, min(first + size, len(dataset)))) for first in range(0, len(dataset), size)]
    return DataLoader(
        cast("Dataset[dict[str, Any]]", dataset),
        batch_sampler=batches[world.rank :: world.size],
        collate_fn=pseudo_collate,
        **worker_options(training.num_workers),
    )


def training_loader(
    dataset: MmDataset, training: TrainingParams, world: World, shares: Shares | None
) -> DataLoader[dict[str, Any]]:
    """Return this process's share of a training set's batches of BATCH_SIZE.

    Args:
        dataset: of training.
        training: BATCH_SIZE, SEED, NUM_WORKERS.
        world: the processes of the run.
        shares: how often an epoch shows each image, where not each once.
    """
    return DataLoader(
        cast("Dataset[dict[str, Any]]", dataset),
        batch_size=training.batch_size,
        sampler=EpochSampler(len(dataset), training.seed, world.rank, world.size, shares),
        collate_fn=pseudo_collate,
        **worker_options(training.num_workers),
    )


def worker_options(wanted: int) -> dict[str, Any]:
    """Return the options of a DataLoader for NUM_WORKERS, of which there are at most as many as cores."""
    count = loading_processes(wanted)
    # With a generator of its own a loader leaves torch's random state alone, so that a resumed run draws the same.
    options: dict[str, Any] = {"num_workers": count, "generator": torch.Generator()}
    return {**options, "worker_init_fn": _one_thread} if count else options


def _one_thread(_: int) -> None:
    """Limit a worker to one thread: OpenCV's own threads would compete for the cores that the workers share."""
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
