"""The process group of a run's workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from adapt_core.distributed import torchrun
from adapt_core.distributed.world import World

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

_STARTUP_TIMEOUT = 600.0
"""Seconds that processes wait for each other's imports."""


@contextmanager
def process_group(world: World, seconds: float) -> Iterator[None]:
    """Create the default process group: gloo on the CPU; with GPUs also their own backend.

    The store is the launcher's own (or torchrun's), so no port is chosen twice, and it ends with the launcher.

    Args:
        world: this process's rank.
        seconds: time limit of a collective operation.
    """
    import torch
    from torch import distributed
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    kind = world.device.partition(":")[0]
    on_gpu = kind != "cpu"
    if on_gpu:
        torch.accelerator.set_device_index(world.device)
    store = run_store(timedelta(seconds=seconds))
    # Imports take different times; a limit on collectives must not end a run that has not started.
    store.set(f"worker {world.rank} is ready", "")
    ready = [f"worker {rank} is ready" for rank in range(world.size)]
    store.wait(ready, timedelta(seconds=max(seconds, _STARTUP_TIMEOUT)))
    distributed.init_process_group(
        f"cpu:gloo,{kind}:{distributed.get_default_backend_for_device(kind)}" if on_gpu else "gloo",
        store=PrefixStore("workers", store),
        rank=world.rank,
        world_size=world.size,
        timeout=timedelta(seconds=seconds),
        device_id=torch.device(world.device) if on_gpu else None,
    )
    yield
    # Not in a finally: a process that failed reports at once, and the launcher (or torchrun) ends it.
    distributed.destroy_process_group()


def run_store(limit: timedelta) -> Store:
    """Return the store of the run, found by MASTER_ADDR and MASTER_PORT.

    Each attempt of torchrun has keys of its own.

    Args:
        limit: how long to wait for the store.
    """
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    store = TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=False,
        wait_for_workers=False,
        timeout=limit,
    )
    place = torchrun.place()
    return PrefixStore(f"attempt {place.attempt}", store) if place is not None else store
