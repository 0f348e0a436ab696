"""The runs in a folder, read while some of them train."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from adapt_core.errors import AdaptError
from adapt_core.report.curves import evaluated
from adapt_core.result import RunResult
from adapt_core.run_folder.names import NAMES, is_run_folder
from adapt_core.run_folder.paths import RunFolder

FINISHED, TRAINING, STOPPED, DAMAGED = "finished", "training", "stopped", "damaged"

_DEEPEST = 4
_QUIET_SECONDS = 600.0
"""A run that is not finished and wrote nothing for so long has stopped: it was killed, or its machine was."""

T = TypeVar("T")


@attrs.frozen
class ShownRun:
    """A run as the board shows it.

    Attributes:
        name: its folder, below that of the board ("sweep/lr-3"; "." for the board's own).
        state: "finished", "training", "stopped" or "damaged".
        keys: of its config.
        lines: of `metrics.jsonl`.
        result: where it is finished.
        changed: when it last wrote, in seconds since 1970.
        has_report: whether `report.html` is there.
    """

    name: str
    state: str
    keys: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    result: RunResult | None
    changed: float
    has_report: bool

    @property
    def step(self) -> int:
        """The last step that was logged."""
        return max((line.get("step", 0) for line in self.lines), default=0)

    @property
    def metric(self) -> tuple[str, float] | None:
        """Name and latest value of the first metric of evaluations, or of the loss of training."""
        for names, phases in ((evaluated(self.lines), ("before", "eval", "after")), (["loss"], ("train",))):
            for name in names:
                found = [line[name] for line in self.lines if line["phase"] in phases and line.get(name) is not None]
                if found:
                    return (name if phases[0] != "train" else "training loss"), float(found[-1])
        return None

    def to_data(self) -> dict[str, Any]:
        """Return the run's row as JSON-ready data."""
        name, value = self.metric or (None, None)
        return {
            "name": self.name,
            "state": self.state,
            "task": self.keys.get("TASK"),
            "method": self.keys.get("method"),
            "step": self.step,
            "metric": name,
            "value": value,
            "changed": self.changed,
            "report": self.has_report,
        }


class Runs:
    """The runs below a folder. What has not changed since it was read is not read again.

    Args:
        folder: of the board.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[tuple[int, int], Any]] = {}
        self._lock = threading.Lock()

    def all(self) -> list[ShownRun]:
        """Return every run, the one that wrote last first."""
        with self._lock:
            return sorted((self._shown(name, path) for name, path in self._places()), key=lambda run: -run.changed)

    def find(self, name: str) -> ShownRun | None:
        """Return the run of a name; None where there is none."""
        with self._lock:
            return next((self._shown(known, path) for known, path in self._places() if known == name), None)

    def report_of(self, name: str) -> Path | None:
        """Return the report of a run, a file of its own folder; None where there is none."""
        run = self.find(name)
        return self.folder / name / RunFolder(Path()).report if run is not None and run.has_report else None

    def _places(self) -> Iterator[tuple[str, Path]]:
        yield from _below(self.folder, ".", _DEEPEST)

    def _shown(self, name: str, path: Path) -> ShownRun:
        folder = RunFolder(path)
        has_report = folder.report.is_file() and not folder.report.is_symlink()
        changed = max((_stamp(file)[0] / 1e9 for file in (folder.metrics, folder.log, folder.result)), default=0.0)
        try:
            result = self._cached(folder.result, folder.finished)
            keys = self._cached(folder.config, folder.stored_keys) if folder.started() else {}
            lines = self._cached(folder.metrics, folder.metric_lines)
        except (AdaptError, OSError, ValueError, KeyError, TypeError):  # the folder is another's, and may hold anything
            return ShownRun(name, DAMAGED, {}, (), None, changed, has_report)
        state = FINISHED if result else TRAINING if time.time() - changed < _QUIET_SECONDS else STOPPED
        if state == TRAINING and not folder.is_locked():
            state = STOPPED
        return ShownRun(name, state, keys, lines, result, changed, has_report)

    def _cached(self, file: Path, read: Callable[[], T]) -> T:
        stamp = _stamp(file)
        if file not in self._read or self._read[file][0] != stamp:
            self._read[file] = (stamp, read())
        value: T = self._read[file][1]
        return value


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _below(folder: Path, name: str, depth: int) -> Iterator[tuple[str, Path]]:
    """Yield the run folders in a folder; links are not followed, and what a run writes is not searched."""
    is_run = is_run_folder(folder)
    if is_run:
        yield name, folder
    if depth == 0:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or (is_run and entry.name in NAMES):
            continue
        if entry.is_dir(follow_symlinks=False):
            below = entry.name if name == "." else f"{name}/{entry.name}"
            yield from _below(Path(entry.path), below, depth - 1)
