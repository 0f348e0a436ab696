"""The observer of a run that serves its trackers."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.contracts.tracker import TrackedRun, Tracker
from adapt_core.plugin.specs import TrackerSpec, hookimpl

log = logging.getLogger(__name__)

_NOT_IN_NAMES = re.compile(r"[^\w .-]", re.ASCII)
_REPEATED = re.compile(r"(fold|seed)-\d+")
_LONGEST_NAME = 100


class TrackerObserver:
    """Passes the figures of a run to one tracker.

    It is started at the first figures, when the loop has set up its devices and a resumed run knows its step. "before",
    "eval" and "after" are one curve, `eval/NAME`. What it prints goes to the log, and it cannot ask on the terminal.

    Args:
        name: the tracker's.
        spec: its spec.
        plan: of the run.
        folder: the tracker's own.
    """

    def __init__(self, name: str, spec: TrackerSpec, plan: Plan, folder: Path) -> None:
        self._name, self._spec, self._plan, self._folder = name, spec, plan, folder
        self._memory = folder.with_name(f"{folder.name}.json")
        self._resumed = False
        self._tracker: Tracker | None = None

    @hookimpl
    def adapt_run_started(self, resumed: bool) -> None:
        """Keep whether the run is resumed."""
        self._resumed = resumed

    @hookimpl
    def adapt_metrics(self, phase: str, step: int, metrics: Mapping[str, float]) -> None:
        """Pass figures on."""
        with _aside(self._name):
            if self._tracker is None:
                self._tracker = self._spec.load()()
                self._start(self._tracker, step)
            group = "eval" if phase in ("before", "after") else phase
            self._tracker.log({f"{group}/{name}": value for name, value in metrics.items()}, step)

    @hookimpl
    def adapt_run_finished(self) -> None:
        """End the tracker's run."""
        self.end()

    def end(self) -> None:
        """End the tracker's run, where it was started and has not been ended."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            with _aside(self._name):
                tracker.finish()

    def _start(self, tracker: Tracker, step: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        known = tracker.start(
            TrackedRun(
                project=_plain_name(self._plan.run.tracker_project),
                name=_plain_name(self._plan.run.tracker_run or _name_of(Path(self._plan.output_dir))),
                folder=self._folder,
                config=_plain(self._plan.keys()),
                resumed=self._resumed,
                earlier=self._remembered() if self._resumed else None,
                step=step,
            )
        )
        if known is not None:
            self._memory.write_text(json.dumps({"run": known}) + "\n", encoding="utf-8")

    def _remembered(self) -> str | None:
        try:
            known = json.loads(self._memory.read_text(encoding="utf-8"))["run"]
        except (OSError, ValueError, KeyError, TypeError):
            return None  # none was written, or not by adapt: the tracker starts a run of its own
        return known if isinstance(known, str) else None


@contextlib.contextmanager
def _aside(name: str) -> Iterator[None]:
    """Keep a tracker from the terminal and from random states."""
    from adapt_core.nn.random_state import untouched_random_state

    printed = StringIO()
    try:
        with untouched_random_state(), contextlib.redirect_stdout(printed):
            yield
    finally:
        for line in printed.getvalue().splitlines():
            if line.strip():
                log.debug("%s: %s", name, line.rstrip())


def _name_of(folder: Path) -> str:
    return f"{folder.parent.name}-{folder.name}" if _REPEATED.fullmatch(folder.name) else folder.name


def _plain_name(name: str) -> str:
    """Return a name of characters that every tracker takes."""
    return _NOT_IN_NAMES.sub("-", name)[:_LONGEST_NAME].strip() or "run"


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in config.items() if value is not None}
    return {
        key: value if isinstance(value, (str, int, float, bool)) else json.dumps(value, default=str)
        for key, value in given.items()
    }
