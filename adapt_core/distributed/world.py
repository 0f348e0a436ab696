"""The place of a process among those of its run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class World:
    """The place of this process among those of the run.

    Attributes:
        rank: 0 to size - 1 over all machines.
        local_rank: 0-based on this machine.
        size: processes of the run.
        device: "cpu", "cuda:0", ... - where this process trains.
        options: what the launcher asks of the loop (sharding, offloading), by the loop's own names.
        planned_size: processes of the run when all its machines are there: an optimizer step has the batches of so
            many, whatever `size` is. As many as `size` where it is None.
    """

    rank: int = 0
    local_rank: int = 0
    size: int = 1
    device: str = "cpu"
    options: Mapping[str, Any] = attrs.field(factory=dict)
    planned_size: int | None = None

    @property
    def is_main(self) -> bool:
        """True where this process writes files and messages."""
        return self.rank == 0


@contextmanager
def local_main_process_first(world: World) -> Iterator[None]:
    """Run the block in each machine's first process, then in its others.

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
