"""Run a program and record the processor time of its training steps and its peak memory.

    python -m benchmarks.step_costs NOTES MODULE [ARGUMENT ...]
    python -m benchmarks.step_costs NOTES FILE.py [ARGUMENT ...]

NOTES is a JSON file to be written: `steps`, for each step from the second on the seconds of user and system time
between the ends of two steps (so with its share of loading data), and `peak_bytes`, the peak resident memory of the
process. Needs nothing but transformers, in whatever version the program uses.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any


def processor_seconds() -> float:
    """Return user and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def watch(ends: list[float]) -> None:
    """Note the time at the end of each step of transformers' Trainer."""
    from transformers.trainer_callback import CallbackHandler

    original: Any = CallbackHandler.on_step_end

    def noted(*arguments: Any, **options: Any) -> Any:
        ends.append(processor_seconds())
        return original(*arguments, **options)

    CallbackHandler.on_step_end = noted


def main() -> None:
    """Run the program and write the notes."""
    notes, program, *arguments = sys.argv[1:]
    ends: list[float] = []
    watch(ends)
    sys.argv = [program, *arguments]
    try:
        if program.endswith(".py"):
            runpy.run_path(program, run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    finally:
        steps = [after - before for before, after in pairwise(ends)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        Path(notes).write_text(json.dumps({"steps": steps, "peak_bytes": peak}), encoding="utf-8")


if __name__ == "__main__":
    main()
