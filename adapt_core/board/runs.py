"""The runs in a folder, read while some of them train."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from adapt_core.report.curves import evaluated
from adapt_core.run_folder.metric_lines import MetricLines
from adapt_core.run_folder.names import NAMES, is_run_folder
from adapt_core.run_folder.paths import RunFolder

FINISHED, TRAINING, STOPPED, DAMAGED = "finished", "training", "stopped", "damaged"

_DEEPEST = 4
_QUIET_SECONDS = 600.0
"""A run that is not finished and wrote nothing for so long has stopped: it was killed, or its machine was."""

_HELD = 12
"""Runs whose lines are held: as many as are compared on one page."""

Lines = Sequence[Mapping[str, Any]]
Stamp = tuple[int, int]
Finished = tuple[bool, int, "tuple[str, float] | None"]
T = TypeVar("T")


@attrs.frozen
class ShownRun:
    """A run as the board shows it.

    Attributes:
        name: its folder, below that of the board ("sweep/lr-3"; "." for the board's own).
        state: "finished", "training", "stopped" or "damaged".
        task, method: of its config; empty where it has none.
        step: the last that was logged.
        metric: name and latest value of the first metric of evaluations, or of the loss of training.
        changed: when it last wrote, in seconds since 1970.
        has_report: whether `report.html` is there.
    """

    name: str
    state: str
    task: str
    method: str
    step: int
    metric: tuple[str, float] | None
    changed: float
    has_report: bool

    def to_data(self) -> dict[str, Any]:
        """Return the run's row as JSON-ready data."""
        name, value = self.metric or (None, None)
        return {
            "name": self.name,
            "state": self.state,
            "task": self.task or None,
            "method": self.method or None,
            "step": self.step,
            "metric": name,
            "value": value,
            "changed": self.changed,
            "report": self.has_report,
        }


class Runs:
    """The runs below a folder. What has not changed since it was read is not read again, and of a run that trains the
    lines that it added are.

    Of each run a few words are kept, and the lines of those alone that were looked at last: a folder of runs may hold
    more lines than the memory does.

    Args:
        folder: of the board.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[Stamp, Any]] = {}
        self._latest: dict[Path, _Latest] = {}
        self._lines: OrderedDict[Path, _Held] = OrderedDict()
        self._lock = threading.Lock()

    def all(self) -> list[ShownRun]:
        """Return every run, the one that wrote last first."""
        with self._lock:
            return sorted((self._shown(name, path) for name, path in self._places()), key=lambda run: -run.changed)

    def find(self, name: str) -> ShownRun | None:
        """Return the run of a name; None where there is none."""
        with self._lock:
            return next((self._shown(known, path) for known, path in self._places() if known == name), None)

    def lines_of(self, run: ShownRun) -> Lines:
        """Return the lines of a run's `metrics.jsonl`; none of a damaged run."""
        if run.state == DAMAGED:
            return []
        folder = RunFolder(self.folder / run.name)
        with self._lock:
            held = self._lines.pop(folder.metrics, None) or _Held(folder.metrics)
            self._lines[folder.metrics] = held
            while len(self._lines) > _HELD:
                self._lines.popitem(last=False)
            return held.lines()

    def report_of(self, name: str) -> Path | None:
        """Return the report of a run, a file of its own folder; None where there is none."""
        run = self.find(name)
        return self.folder / name / RunFolder(Path()).report if run is not None and run.has_report else None

    def _places(self) -> Iterator[tuple[str, Path]]:
        yield from _below(self.folder, ".", _DEEPEST)

    def _shown(self, name: str, path: Path) -> ShownRun:
        folder = RunFolder(path)
        has_report = folder.report.is_file() and not folder.report.is_symlink()
        changed = max(_stamp(file)[0] / 1e9 for file in _written_by(folder))
        finished = self._cached(folder.result, lambda: _finished(folder))
        named = self._cached(folder.config, lambda: _named(folder))
        latest = self._cached(folder.metrics, self._latest.setdefault(folder.metrics, _Latest(folder.metrics)).read)
        if finished is None or named is None or latest is None:
            return ShownRun(name, DAMAGED, "", "", 0, None, changed, has_report)
        if not folder.metrics.exists():  # of FOLDS or SEEDS, whose figures are in its result
            latest = finished[1:] if finished else latest
        state = FINISHED if finished else TRAINING if time.time() - changed < _QUIET_SECONDS else STOPPED
        if state == TRAINING and not folder.is_locked():
            state = STOPPED
        return ShownRun(name, state, *named, *latest, changed, has_report)

    def _cached(self, file: Path, read: Callable[[], T]) -> T | None:
        """Return what `read` makes of a file, once for each state of it; None where the file is damaged."""
        stamp = _stamp(file)
        if file not in self._read or self._read[file][0] != stamp:
            self._read[file] = (stamp, _unless_damaged(read))
        value: T | None = self._read[file][1]
        return value


class _Held:
    """The lines of a run; what was added since they were looked at is read, and no more."""

    def __init__(self, file: Path) -> None:
        self._file, self._stamp = file, (-1, -1)
        self._source = MetricLines(file)
        self._known: Lines = []

    def lines(self) -> Lines:
        """Return the lines; none where the file is damaged."""
        stamp = _stamp(self._file)
        if stamp != self._stamp:
            self._stamp = stamp
            added, anew = _unless_damaged(self._source.more) or ([], True)
            self._known = added if anew else [*self._known, *added]
        return self._known


class _Latest:
    """The last step of a run, and the latest value of each of its metrics, kept from one reading to the next."""

    def __init__(self, file: Path) -> None:
        self._source = MetricLines(file)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._step = 0
        self._values: dict[str, float | None] = {}
        self._loss: float | None = None

    def read(self) -> tuple[int, tuple[str, float] | None]:
        """Return the last step, and name and latest value of the first metric, or of the loss of training.

        Raises:
            InputError: the file is damaged.
        """
        added, anew = self._source.more()
        if anew:
            self._begin_anew()
        for line in added:
            self._step = max(self._step, line["step"])
            for name in evaluated([line]):
                value = line[name]
                self._values[name] = self._values.get(name) if value is None else value
            if line["phase"] == "train" and line.get("loss") is not None:
                self._loss = float(line["loss"])
        known = ((name, float(value)) for name, value in self._values.items() if value is not None)
        loss = None if self._loss is None else ("training loss", self._loss)
        return self._step, next(known, loss)


def _unless_damaged(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Exception:  # noqa: BLE001 - the folder is another's, and may hold anything: it hides no other run
        return None


def _written_by(folder: RunFolder) -> Iterator[Path]:
    """Yield the files that a run writes while it trains; its folds' or seeds', where it has several runs."""
    yield from (folder.metrics, folder.log, folder.result)
    if not folder.metrics.exists():
        for pattern in ("fold-*", "seed-*"):
            yield from (RunFolder(path).metrics for path in folder.path.glob(pattern) if not path.is_symlink())


def _finished(folder: RunFolder) -> Finished | tuple[()]:
    """Return that a run has finished, its steps and its first metric; nothing where it has not."""
    result = folder.finished()
    if result is None:
        return ()
    measured = result.metrics.get("after") or result.metrics.get("before") or {}
    known = ((name, value) for name, value in measured.items() if name != "loss" and value is not None)
    first = next(((name, float(value)) for name, value in known), None)
    return True, result.steps, first


def _named(folder: RunFolder) -> tuple[str, str]:
    """Return task and method of a run; empty before it wrote its config."""
    keys = folder.stored_keys() if folder.started() else {}
    return str(keys.get("TASK") or ""), str(keys.get("method") or "")


def _stamp(file: Path) -> Stamp:
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
