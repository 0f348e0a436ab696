"""Progress of a run: a live bar on a terminal, plain lines elsewhere.

Everything goes to stderr, so that stdout has results alone. A screen that cannot be written to (a pipe whose
reader left) is ignored; it never stops a run.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Protocol, TextIO

from adapt_core.runtime.plain_text import in_one_line, visible


class ProgressReporter(Protocol):
    """Shows messages and progress."""

    def message(self, text: str) -> None:
        """Show one line of text."""

    def start(self, label: str, total: int, done: int = 0) -> None:
        """Start a phase of `total` steps, `done` of which are done."""

    def update(self, step: int, figures: dict[str, float], examples_per_second: float) -> None:
        """Report that step `step` of the phase is done. `figures` has the newest loss and learning rate."""

    def expect(self, total: int) -> None:
        """Set the steps of the phase anew (BUDGET)."""

    def close(self) -> None:
        """Close the phase."""


VERBOSITY = "ADAPT_VERBOSITY"
"""The environment variable for "quiet" or "verbose"; worker processes inherit it."""


def verbosity() -> str:
    """Return "quiet", "normal" or "verbose"."""
    wanted = os.environ.get(VERBOSITY, "")
    return wanted if wanted in ("quiet", "verbose") else "normal"


def make_reporter(is_main: bool, stream: TextIO | None = None) -> ProgressReporter:
    """Return the reporter for this process: silent off rank 0, else quiet when quiet, live on a terminal, or plain."""
    stream = stream or sys.stderr
    if not is_main:
        return SilentReporter()
    if verbosity() == "quiet":
        return QuietReporter(stream)
    return LiveReporter(stream) if stream.isatty() else PlainReporter(stream)


def _figures(figures: dict[str, float]) -> str:
    return "  ".join(f"{in_one_line(name)} {value:.4g}" for name, value in figures.items())


class SilentReporter:
    """Shows nothing."""

    def message(self, text: str) -> None: ...

    def start(self, label: str, total: int, done: int = 0) -> None: ...

    def update(self, step: int, figures: dict[str, float], examples_per_second: float) -> None: ...

    def expect(self, total: int) -> None: ...

    def close(self) -> None: ...


class PlainReporter:
    """Plain lines: one for each message, and one every few seconds of a phase."""

    seconds_between_lines = 10.0

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream
        self._label = ""
        self._total = self._done = 0
        self._begun = self._spoken = 0.0

    def message(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(f"{visible(text)}\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None

    def start(self, label: str, total: int, done: int = 0) -> None:
        self._label, self._total, self._done = label, total, done
        self._begun = self._spoken = time.monotonic()

    def update(self, step: int, figures: dict[str, float], examples_per_second: float) -> None:
        now = time.monotonic()
        if now - self._spoken < self.seconds_between_lines and step < self._total:
            return
        self._spoken = now
        fresh = max(step - self._done, 1)
        left = (now - self._begun) / fresh * max(self._total - step, 0)
        rate = f"{examples_per_second:.1f} samples/s  " if examples_per_second else ""
        self.message(f"{self._label} {step}/{self._total}  {_figures(figures)}  {rate}{_clock(left)} left")

    def expect(self, total: int) -> None:
        self._total = total

    def close(self) -> None:
        self._label = ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


class QuietReporter(SilentReporter):
    """Lines of text, and nothing of how far a phase is."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = PlainReporter(stream)

    def message(self, text: str) -> None:
        self._lines.message(text)


class LiveReporter:
    """A bar on a terminal, with loss, learning rate, samples/s and the time left."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        class LastingConsole(Console):
            """A console that falls silent where rich's own would end the program and close standard output."""

            def on_broken_pipe(self) -> None:
                self.quiet = True

        self._console = LastingConsole(file=stream, highlight=False)
        self._progress: Any = None
        self._phase: Any = None

    def message(self, text: str) -> None:
        try:
            self._console.print(visible(text), markup=False, soft_wrap=True)
        except (OSError, ValueError):
            self._console.quiet = True

    def start(self, label: str, total: int, done: int = 0) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.close()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._phase = self._progress.add_task(label, total=total, completed=done, figures="")
        self._progress.start()

    def update(self, step: int, figures: dict[str, float], examples_per_second: float) -> None:
        if self._progress is None:
            return
        rate = f"  {examples_per_second:.1f} samples/s" if examples_per_second else ""
        try:
            self._progress.update(self._phase, completed=step, figures=f"{_figures(figures)}{rate}")
        except (OSError, ValueError):
            self._console.quiet = True

    def expect(self, total: int) -> None:
        if self._progress is not None:
            self._progress.update(self._phase, total=total)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
