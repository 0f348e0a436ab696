"""Copies of state in the CPU's memory, which are written while the state itself goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


class Staging:
    """Makes copies of state dicts, into the memory of the copies before: only one is used at a time.

    By torch's own stager of asynchronous checkpoints. Tensors that share storage share it in the copy too, and shares
    of sharded tensors stay shares.
    """

    def __init__(self) -> None:
        self._stagers: dict[str, Any] = {}

    def copy(self, name: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a state dict, tensors in the CPU's memory; it is good until the next copy of this name."""
        from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

        if name not in self._stagers:
            pinned = torch.cuda.is_available()
            # In this process, and complete when it returns: training overwrites the state right after.
            options = StagingOptions(
                use_pinned_memory=pinned, use_shared_memory=False, use_async_staging=False, use_non_blocking_copy=pinned
            )
            self._stagers[name] = DefaultStager(options)
        copied: dict[str, Any] = self._stagers[name].stage(dict(state))
        return copied


def write_state(state: Any, path: Path) -> None:
    """Write a state dict of a checkpoint as `torch.save` does, without its CRC32: see `without_checksums`."""
    with without_checksums():
        torch.save(state, path)


@contextmanager
def without_checksums() -> Iterator[None]:
    """Let `torch.save` leave out its CRC32, in all threads.

    It takes more than half of the processor's time of a write, which training could use, and a checkpoint's manifest
    has a hash of each file. `torch.load` reads such a file as any other.
    """
    wanted = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(wanted)


def tensor_bytes(states: Iterable[Any]) -> int:
    """Return the bytes of the tensors in nested dicts, lists and tuples; of sharded ones this process's shares."""
    total = 0
    for state in states:
        if isinstance(state, torch.Tensor):
            local = state.to_local() if hasattr(state, "to_local") else state
            total += local.numel() * local.element_size()
        elif isinstance(state, Mapping):
            total += tensor_bytes(state.values())
        elif isinstance(state, (list, tuple)):
            total += tensor_bytes(state)
    return total
