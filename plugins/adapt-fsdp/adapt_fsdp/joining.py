"""A worker process joins the process group of its run."""

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

_SECONDS_TO_START = 600.0


@contextmanager
def process_group(world: World, seconds: float) -> Iterator[None]:
    """The default process group: nccl for GPUs with gloo beside it, gloo on the CPU.

    The store is the launcher's own (or torchrun's), so no port is chosen twice, and it ends with the launcher.

    Args:
        world: this process's place.
        seconds: after which a collective gives up.
    """
    import torch
    from torch import distributed
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    on_gpu = world.device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(world.device)
    store = store_of_the_run(timedelta(seconds=seconds))
    # Processes import for different times; a limit on collectives must not end a run that has not begun.
    store.set(f"worker {world.rank} is ready", "")
    ready = [f"worker {rank} is ready" for rank in range(world.size)]
    store.wait(ready, timedelta(seconds=max(seconds, _SECONDS_TO_START)))
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=PrefixStore("workers", store),
        rank=world.rank,
        world_size=world.size,
        timeout=timedelta(seconds=seconds),
        device_id=torch.device(world.device) if on_gpu else None,
    )
    yield
    # Not in a finally: a process that failed reports at once, and whoever started it ends it.
    distributed.destroy_process_group()


def store_of_the_run(limit: timedelta) -> Store:
    """The store that the run's processes find by their environment. Each attempt of torchrun has keys of its own.

    Args:
        limit: how long it is waited for.
    """
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    held = TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=False,
        wait_for_workers=False,
        timeout=limit,
    )
    place = torchrun.place()
    return PrefixStore(f"attempt {place.attempt}", held) if place is not None else held
