"""The train loop of mmengine's Runner: any fraction of epochs, a limit of steps, a start inside an epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

if TYPE_CHECKING:
    from mmengine.runner import Runner
    from torch import nn

    from adapt_vision_mm.openmmlab.contracts import BatchLoader


def count_batches(batches_per_epoch: int, epochs: float, max_steps: int | None, accumulation: int) -> int:
    """Return the batches of a whole run."""
    total = math.ceil(batches_per_epoch * epochs)
    return min(total, max_steps * accumulation) if max_steps else total


@LOOPS.register_module()
class SteppedTrainLoop(EpochBasedTrainLoop):
    """Trains for a number of batches.

    Args:
        total_batches: of the whole run.
        batch_size: of this process.
        start_batch: the first batch, after a resume.
    """

    def __init__(
        self, runner: Runner, dataloader: BatchLoader, total_batches: int, batch_size: int, start_batch: int = 0
    ) -> None:
        per_epoch = len(dataloader)
        super().__init__(runner, dataloader, max_epochs=math.ceil(total_batches / per_epoch))
        self._max_iters = total_batches
        self._iter = start_batch
        self._epoch = start_batch // per_epoch
        self._batch_size = batch_size
        self._per_epoch = per_epoch

    def run(self) -> nn.Module:
        """Train to the end, or until a hook sets `stop_training`."""
        self.runner.call_hook("before_train")
        while self._iter < self._max_iters and not self.stop_training:
            self.run_epoch()
        self.runner.call_hook("after_train")
        model: nn.Module = self.runner.model
        return model

    def run_epoch(self) -> None:
        """Train the rest of an epoch."""
        done = self._iter - self._epoch * self._per_epoch
        self.dataloader.sampler.start(self._epoch, done * self._batch_size)
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        # The loader's length is that of a whole epoch, though its sampler may start inside one.
        for number, batch in enumerate(self.dataloader, start=done):
            self.run_iter(number, batch)
            if self._iter >= self._max_iters or self.stop_training:
                break
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1
