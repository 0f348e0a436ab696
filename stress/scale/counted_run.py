"""Run a config while a thread counts the bytes that are allocated.

    python -m stress.scale.counted_run CONFIG.json LOOKS.jsonl

What a process holds of the machine's memory (resident) is more than what it has allocated: the allocator keeps freed
pieces that are too scattered to be given back. So a run that keeps nothing may still grow until the pieces fit its
requests. Counted here is what malloc has handed out and not got back. For it to see all, it must be started with
`ENVIRONMENT`, by which Python's and Arrow's objects come from malloc too, and all of malloc's from one arena, the only
one that mallinfo2 describes. glibc 2.33 or later: https://man7.org/linux/man-pages/man3/mallinfo.3.html
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil

from stress.scale.watch import MetricLines

ENVIRONMENT: Mapping[str, str] = {
    "PYTHONMALLOC": "malloc",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
_BETWEEN_LOOKS = 0.2
_MIB = 2**20


class Mallinfo(ctypes.Structure):
    """What mallinfo2 returns: `uordblks` are the bytes in use of the heap, `hblkhd` those of large pieces."""

    _fields_ = [
        ("arena", ctypes.c_size_t),
        ("ordblks", ctypes.c_size_t),
        ("smblks", ctypes.c_size_t),
        ("hblks", ctypes.c_size_t),
        ("hblkhd", ctypes.c_size_t),
        ("usmblks", ctypes.c_size_t),
        ("fsmblks", ctypes.c_size_t),
        ("uordblks", ctypes.c_size_t),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    ]


def allocated_mib() -> float:
    """Return what malloc has handed out and not got back, in MiB."""
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Mallinfo
    found = library.mallinfo2()
    return float(found.uordblks + found.hblkhd) / _MIB


def _look(lines: MetricLines, looks: Path, done: threading.Event) -> None:
    process = psutil.Process()
    with looks.open("w", encoding="utf-8") as file:
        while not done.wait(_BETWEEN_LOOKS):
            memory = process.memory_info()
            seen = {"step": lines.look(), "allocated": allocated_mib(), "own": (memory.rss - memory.shared) / _MIB}
            file.write(json.dumps(seen) + "\n")


def main() -> None:
    """Run the config and write a line for each look."""
    import adapt_core

    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    done = threading.Event()
    lines = MetricLines(Path(config["OUTPUT_DIR"]) / "metrics.jsonl")
    thread = threading.Thread(target=_look, args=(lines, Path(sys.argv[2]), done))
    thread.start()
    try:
        adapt_core.run(config)
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()
