"""The processor cores that this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the cores that this process may use, which a container or a scheduler can limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def loading_processes(wanted: int) -> int:
    """Return the worker processes that load data: NUM_WORKERS, but at most the usable cores."""
    return min(wanted, usable_cores())
