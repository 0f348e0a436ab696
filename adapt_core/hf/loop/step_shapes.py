"""Steps of a run that is resumed in another number of processes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from adapt_core.distributed.world import World
from adapt_core.hf.loop.callbacks import SealCallback
from adapt_core.run_folder.checkpoints import step_shape

log = logging.getLogger(__name__)


def keep_steps(trainer: Any, seal: SealCallback, checkpoint: Path, world: World) -> None:
    """Let steps have the rows of those that made a checkpoint, where the processes or the rows of a batch have changed.

    Args:
        trainer: an instrumented Trainer, whose accumulation is changed.
        seal: tells later checkpoints of it.
        checkpoint: that the run goes on from.
        world: the processes now.
    """
    shape, arguments = step_shape(checkpoint), trainer.args
    if shape is None or shape == seal.shape:
        return
    own = arguments.per_device_train_batch_size
    rows = shape.rows or own
    each, left_over = divmod(shape.batches * rows, world.size * own)
    if left_over:
        log.warning(
            "a step of the run that is resumed has %d batches, which %d processes cannot share: from here on it "
            "has %d, and other rows.",
            shape.batches * rows // own,
            world.size,
            world.size * arguments.gradient_accumulation_steps,
        )
        return
    if each != arguments.gradient_accumulation_steps:
        log.info("%d batches in a step of each process, as many rows in all as in the run that is resumed", each)
    arguments.gradient_accumulation_steps = each
    seal.shape = shape
    if shape.processes > 1:  # several fill up an epoch's last rows, one does not
        trainer.rows_of_whole_steps = shape.processes * rows
