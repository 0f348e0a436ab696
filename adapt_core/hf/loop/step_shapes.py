"""Steps of a run in another number of processes than it began in, or is planned for."""

from __future__ import annotations

import logging
from typing import Any

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.distributed.world import World
from adapt_core.hf.loop.callbacks import SealCallback
from adapt_core.run_folder.checkpoints import StepShape

log = logging.getLogger(__name__)


def shape_of(processes: int, training: TrainingParams) -> StepShape:
    """Return the shape of the steps that so many processes make of a plan's keys."""
    return StepShape(processes, processes * training.gradient_accumulation_steps, training.batch_size)


def keep_steps(trainer: Any, seal: SealCallback, shape: StepShape | None, world: World) -> None:
    """Let steps have the rows of another shape, where the processes or the rows of a batch are not its own.

    Args:
        trainer: an instrumented Trainer, whose accumulation is changed.
        seal: tells later checkpoints of it.
        shape: of the steps that made the checkpoint which the run goes on from, or of all planned processes.
        world: the processes now.
    """
    arguments = trainer.args
    if shape is None or shape == seal.shape:
        return
    own = arguments.per_device_train_batch_size
    rows = shape.rows or own
    each, left_over = divmod(shape.batches * rows, world.size * own)
    if left_over:
        log.warning(
            "a step of the run has %d batches, which %d processes cannot share: from here on it "
            "has %d, and other rows.",
            shape.batches * rows // own,
            world.size,
            world.size * arguments.gradient_accumulation_steps,
        )
        return
    if each != arguments.gradient_accumulation_steps:
        log.info("%d batches in a step of each process, as many rows in all as in the planned steps", each)
    arguments.gradient_accumulation_steps = each
    seal.shape = shape
    if shape.processes > 1:  # several fill up an epoch's last rows, one does not
        trainer.rows_of_whole_steps = shape.processes * rows
