"""Checkpoints of a Trainer, written in the background from copies."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.distributed.checkpoint
from torch import nn

from adapt_core.distributed.devices import free_memory_bytes
from adapt_core.distributed.world import World
from adapt_core.nn.staging import Staging, tensor_bytes, without_checksums
from adapt_core.run_folder.background import BackgroundWriter

log = logging.getLogger(__name__)

_ROOM = 2
"""Times of a copy's bytes that must be free: the loading of data and evaluations need some too."""


class CheckpointCopies:
    """The copies that the checkpoints of one Trainer are written from.

    Frozen tensors stay as they are, and are written from where they are.

    Args:
        writer: writes them.
        world: this process's place.
    """

    def __init__(self, writer: BackgroundWriter, world: World) -> None:
        self.writer = writer
        self._world = world
        self._wanted = writer.enabled
        self._staging = Staging()
        self._held = False
        self._group: Any = None

    def begin(self, model: nn.Module, optimizer: torch.optim.Optimizer | None, *, sharded: bool = False) -> None:
        """Wait for the checkpoint before, and decide whether the next one is written in the background.

        Every process must call it. A copy that memory has no room for is not made: the checkpoint is written before
        training goes on.

        Args:
            model: the model.
            optimizer: None where it is not made yet.
            sharded: whether each process of this machine copies a share of its own.

        Raises:
            Exception: the checkpoint before could not be written.
        """
        self.writer.wait()
        if not self._wanted or self._held:
            return
        trained = [parameter.detach() for parameter in model.parameters() if parameter.requires_grad]
        state = {} if optimizer is None else optimizer.state_dict()["state"]
        needed = tensor_bytes([trained, state])
        # Ranks that share a model copy their shares; of complete models the first rank's is copied.
        copies = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if sharded else 1
        room = free_memory_bytes() > _ROOM * copies * needed
        if self._world.size > 1:
            agreed = torch.tensor(int(room))  # on the CPU, over gloo
            torch.distributed.all_reduce(agreed, torch.distributed.ReduceOp.MIN)
            room = bool(agreed)
        self._held = self.writer.enabled = room
        if not room:
            log.info("a copy of %.1f GB for a checkpoint has no room in memory: training waits.", needed / 1e9)

    def of_model(self, model: nn.Module, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a model's state dict with copies of all that may change."""
        frozen = {name for name, given in model.named_parameters(remove_duplicate=False) if not given.requires_grad}
        copied = self._staging.copy("model", {name: value for name, value in state.items() if name not in frozen})
        return {name: copied.get(name, value) for name, value in state.items()}

    def of_optimizer(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of an optimizer's state dict."""
        return self._staging.copy("optimizer", state)

    @contextmanager
    def sharded(self) -> Iterator[None]:
        """Let what the block saves by `torch.distributed.checkpoint.save` be copied, and written in the background.

        Processes write together, in a process group of its own: their threads would mix up the operations of training.
        What failed in any process fails in all of them, as it did there.
        """
        if self.writer.enabled and self._group is None:
            self._group = torch.distributed.new_group(backend="gloo")
        dcp: Any = torch.distributed.checkpoint
        save = dcp.save

        def later(state_dict: dict[str, Any], **kwargs: Any) -> None:
            if self.writer.enabled:
                state_dict = self._staging.copy(next(iter(state_dict)), state_dict)
                kwargs["process_group"] = self._group
            self.writer.add(partial(_saved, partial(save, state_dict, **kwargs)))

        dcp.save = later
        try:
            yield
        finally:
            dcp.save = save


def _saved(save: Callable[[], object]) -> None:
    """Save, and raise what failed in a process: torch puts it into a BaseException of its own."""
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        with without_checksums():
            save()
    except CheckpointException as error:
        cause, _ = next(iter(error.failures.values()))
        raise cause from error
