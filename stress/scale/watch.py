"""A run in several processes: stopped near its start and near its end, resumed, and watched all the time.

Time is the process's own, user and system. Other work of the machine is not in it, but makes it longer all the same:
it takes cache and memory bandwidth. So a piece of work that is always the same is timed at each look.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import numpy
import psutil

_MIB = 2**20
_BETWEEN_LOOKS = 0.5
_INTERRUPTED = 130
_ORDER = numpy.random.default_rng(0).permutation(500_000)
_NUMBERS = numpy.arange(500_000.0)


@attrs.frozen(kw_only=True)
class Look:
    """What a look at the process saw.

    Attributes:
        step: the latest logged optimizer step.
        seconds: of the process, user and system.
        own_mib: memory that is its own and no page of a file.
        disk_mib: size of the run folder.
        piece_seconds: of this thread, for the piece of work that is always the same.
    """

    step: int
    seconds: float
    own_mib: float
    disk_mib: float
    piece_seconds: float = 1.0


class MetricLines:
    """The lines of a growing metrics.jsonl, each read once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = file.stat().st_size if file.is_file() else 0
        self.step = 0

    def look(self) -> int:
        """Return the latest logged training step that was written since the first look, or 0."""
        if self._file.is_file():
            if self._file.stat().st_size < self._offset:
                self._offset = self._file.stat().st_size  # A resumed run has dropped lines, and written none yet.
            with self._file.open("rb") as file:
                file.seek(self._offset)
                whole = file.read().rpartition(b"\n")
            self._offset += len(whole[0]) + len(whole[1])
            for line in whole[0].splitlines():
                found = json.loads(line)
                self.step = int(found["step"]) if found["phase"] == "train" else self.step
        return self.step


def piece_of_work() -> float:
    """Return the seconds of this thread for numbers taken in a random order and a loop of Python."""
    begun = time.thread_time()
    float(_NUMBERS[_ORDER].sum())
    sum(range(100_000))
    return time.thread_time() - begun


def size_mib(folder: Path) -> float:
    """Return the size of the files in a folder, which may change meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total / _MIB


def _take_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def watched(config: Path, folder: Path, env: dict[str, str], stop_at: int | None) -> list[Look]:
    """Run `adapt run CONFIG --resume` and look at it twice a second until it ends.

    Args:
        config: the file.
        folder: its OUTPUT_DIR.
        env: of the process.
        stop_at: the step after which the run is asked to stop (Ctrl-C) with a checkpoint; None lets it end.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-m", "adapt_core", "run", str(config), "--resume", "--quiet"]
    errors = folder.parent / f"{folder.name}.err"
    looks: list[Look] = []
    lines = MetricLines(folder / "metrics.jsonl")
    asked = False
    with errors.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, env=env, preexec_fn=_take_signals)
        seen = psutil.Process(process.pid)
        while process.poll() is None:
            time.sleep(_BETWEEN_LOOKS)
            with suppress(psutil.NoSuchProcess):  # it has ended between two looks
                memory, times = seen.memory_info(), seen.cpu_times()
                own = (memory.rss - memory.shared) / _MIB
                step = lines.look()
                looks.append(
                    Look(
                        step=step,
                        seconds=times.user + times.system,
                        own_mib=own,
                        disk_mib=size_mib(folder),
                        piece_seconds=piece_of_work(),
                    )
                )
                if stop_at is not None and step >= stop_at and not asked:
                    process.send_signal(signal.SIGINT)
                    asked = True
    # A run that is asked in its last steps may end before it heeds that.
    if process.returncode not in ((0, _INTERRUPTED) if asked else (0,)):
        raise SystemExit(f"{config}: exit {process.returncode}\n{errors.read_text(encoding='utf-8')[-4000:]}")
    return looks


def run(config: dict[str, Any], work: Path, stops: tuple[float, ...]) -> list[list[Look]]:
    """Run a config in several processes, stopped and resumed; return the looks at each.

    Args:
        config: with MAX_STEPS and OUTPUT_DIR.
        work: the folder of the config and of the cache of tokenized rows.
        stops: the shares of the steps after which each process but the last is asked to stop.
    """
    file = work / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    env = {**os.environ, **one_thread, "HF_DATASETS_CACHE": str(work / "cache")}
    steps, folder = int(config["MAX_STEPS"]), Path(config["OUTPUT_DIR"])
    return [watched(file, folder, env, stop) for stop in (*(max(int(steps * share), 1) for share in stops), None)]
