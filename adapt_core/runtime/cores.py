"""The processor cores that this process may use."""

from __future__ import annotations

import logging
import os

log = logging.getLogger(__name__)


def usable_cores() -> int:
    """Return the cores that this process may use, which a container or a scheduler can limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def loading_processes(wanted: int) -> int:
    """Return the worker processes that load data: NUM_WORKERS, but at most the usable cores."""
    return min(wanted, usable_cores())


def tell_loading_processes(wanted: int) -> None:
    """Log how many processes load data, where there are fewer than NUM_WORKERS."""
    used = loading_processes(wanted)
    if used < wanted:
        log.info("NUM_WORKERS %d: there are %d cores, so %d processes load data.", wanted, used, used)
