"""Two commands compared: the same work, once by adapt and once by the underlying library."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Outcome = tuple[dict[str, Any], float]


class Running:
    """A started command that prints one JSON object at its end."""

    def __init__(self, command: list[str], env: dict[str, str], core: int | None = None) -> None:
        self._command = command
        self._start = time.perf_counter()
        cores = os.sched_getaffinity(0)
        # Set before it starts: what it starts at once itself has the same core.
        os.sched_setaffinity(0, cores if core is None else {core})
        try:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
            )
        finally:
            os.sched_setaffinity(0, cores)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        self._printed, self._errors = self._process.communicate()
        self._seconds = time.perf_counter() - self._start

    def outcome(self) -> Outcome:
        """Return the last JSON object of the output, and the wall time in seconds."""
        self._reader.join()
        if self._process.returncode:
            raise SystemExit(f"{self._command}\n{self._errors[-4000:]}")
        printed = f"\n{self._printed}"
        return json.loads(printed[printed.rindex("\n{") :]), self._seconds


def adapt_command(config: Mapping[str, Any], folder: Path) -> list[str]:
    """Write a config beside its run folder, and return the command that runs it and prints the result.

    Args:
        config: with OUTPUT_DIR, which is the folder.
        folder: its name with the suffix .json is the config's.
    """
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(config), encoding="utf-8")
    return [sys.executable, "-m", "adapt_core", "run", str(file), "--json"]


def losses_of(folder: Path) -> list[float]:
    """Return the training losses that a run of adapt logged."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


def cpu_seconds(command: Sequence[str], exit_code: int = 0) -> float:
    """Return the CPU time of a command, in user and system mode.

    Raises:
        SystemExit: it exits with another code.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != exit_code:
        raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stderr[-3000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_turn(ours: list[str], plain: list[str], env: dict[str, str], number: int) -> tuple[Outcome, Outcome]:
    """Run one after the other, each with the whole machine."""
    return Running(ours, env).outcome(), Running(plain, env).outcome()


def side_by_side(ours: list[str], plain: list[str], env: dict[str, str], number: int) -> tuple[Outcome, Outcome]:
    """Run both at once on one core each, swapping cores after each pair; on the same core where there is one.

    For machines whose speed changes from minute to minute: both sides meet the same changes.
    """
    cores = (sorted(os.sched_getaffinity(0)) * 2)[:2]
    if number % 2:
        cores.reverse()
    one_thread = {**env, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    started = [Running(command, one_thread, core) for command, core in zip((ours, plain), cores, strict=True)]
    return started[0].outcome(), started[1].outcome()


def spread(ratios: list[float]) -> dict[str, float]:
    """Return median, least and most."""
    return {
        "median": round(statistics.median(ratios), 4),
        "least": round(min(ratios), 4),
        "most": round(max(ratios), 4),
    }
