"""A command that torchrun started is one process of a run, not the whole of it."""

from __future__ import annotations

import os

import attrs


@attrs.frozen(kw_only=True)
class Place:
    """This process in torchrun's environment.

    Attributes:
        rank: 0 to size - 1 over all machines.
        local_rank: 0-based on this machine.
        size: processes of the run.
        attempt: how often torchrun has started its processes again.
    """

    rank: int
    local_rank: int
    size: int
    attempt: int


def place() -> Place | None:
    """This process's place among those that torchrun started, or None where it did not start this process."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    return Place(
        rank=int(os.environ["RANK"]),
        local_rank=int(os.environ["LOCAL_RANK"]),
        size=int(os.environ["WORLD_SIZE"]),
        attempt=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
    )
