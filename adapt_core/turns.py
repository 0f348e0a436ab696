"""Processes of one run in turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapt_core.contracts import World


@contextmanager
def local_main_first(world: World) -> Iterator[None]:
    """Runs the block in each machine's first process, then in its others.

    For work whose result a cache keeps, so that it is done once: preparing data. A process that fails in the block
    leaves the others waiting; whoever started them ends them.
    """
    if world.size == 1:
        yield
        return
    from torch import distributed

    if world.local_rank > 0:
        distributed.barrier()
    yield
    if world.local_rank == 0:
        distributed.barrier()
