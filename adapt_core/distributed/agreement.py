"""What rank 0 found, in every process."""

from __future__ import annotations

from typing import TypeVar

from adapt_core.distributed.world import World

T = TypeVar("T")


def of_rank_0(world: World, value: T) -> T:
    """Return rank 0's value; every process must call it. Where files differ between machines, one of them decides."""
    if world.size == 1:
        return value
    import torch.distributed

    values = [value]
    torch.distributed.broadcast_object_list(values, src=0, device=torch.device(world.device))
    return values[0]
