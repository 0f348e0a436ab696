"""Metrics of a run: written to `metrics.jsonl` and passed to the plugins that observe."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pluggy import PluginManager

from adapt_core.config.plan import Plan
from adapt_core.result import RunResult, without_nan
from adapt_core.run_folder.metric_lines import INTERVALS
from adapt_core.run_folder.paths import RunFolder
from adapt_core.runtime.progress import ProgressReporter

log = logging.getLogger(__name__)

TRACKER = "tracker "
"""What the names of observers begin with that serve a tracker."""

_MOMENTS = {
    "before": "validation before training:",
    "eval": "validation at step {step}:",
    "after": "validation after training:",
    "test": "test:",
}


class MetricRecorder:
    """Records metrics. On ranks other than 0 it does nothing.

    Args:
        folder: whose `metrics.jsonl` is appended to.
        screen: shows progress.
        observers: the plugins; one that raises is reported once and then left out.
        is_main: whether this is rank 0.
    """

    def __init__(self, folder: RunFolder, reporter: ProgressReporter, observers: PluginManager, is_main: bool) -> None:
        self._folder = folder
        self._observers = observers
        self._failed: set[str] = set()
        self._not_finite: set[tuple[str, str]] = set()
        self._is_main = is_main
        self.reporter = reporter
        self.warnings: list[str] = []

    def started(self, plan: Plan) -> None:
        """Announce the start of the run to observers."""
        started = {"config": plan.keys(), "output_dir": self._folder.path, "resumed": plan.resume is not None}
        self._observe("adapt_run_started", started)

    def metrics(
        self,
        phase: str,
        step: int,
        epoch: float,
        values: Mapping[str, float],
        intervals: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        """Record the figures of a phase.

        Args:
            phase: "before", "train", "eval", "after" or "test".
            step, epoch: at which they were measured.
            values: the figures.
            intervals: figure -> its 95 % interval, of those that have one.
        """
        if not self._is_main:
            return
        held = {INTERVALS: intervals} if intervals else {}
        line = without_nan({"phase": phase, "step": step, "epoch": epoch, **values, **held})
        self._warn_of_nan(phase, step, values)
        with self._folder.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        self._observe("adapt_metrics", {"phase": phase, "step": step, "epoch": epoch, "metrics": dict(values)})

    def warn(self, findings: Iterable[str]) -> None:
        """Warn of what a reader must know before the metrics; the result repeats the warnings."""
        for finding in findings:
            if self._is_main and finding not in self.warnings:
                self.warnings.append(finding)
                log.warning("%s", finding)

    def _warn_of_nan(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Warn of evaluated numbers that are not finite, of each once a phase; the result repeats the warnings."""
        moment = _MOMENTS.get(phase)
        for name, value in values.items():
            if moment is None or math.isfinite(value) or (phase, name) in self._not_finite:
                continue
            self._not_finite.add((phase, name))
            warning = f"the {moment.format(step=step)} {name} is not finite ({value})"
            self.warnings.append(warning)
            log.warning("%s: look for extreme values in those rows, or lower LR.", warning)

    def finished(self, result: RunResult) -> None:
        """Announce that the run is over and `result.json` is written."""
        self._observe("adapt_run_finished", {"result": result})

    def _observe(self, hook: str, arguments: dict[str, Any]) -> None:
        if not self._is_main:
            return
        for implementation in getattr(self._observers.hook, hook).get_hookimpls():
            name = implementation.plugin_name
            if name in self._failed:
                continue
            try:
                implementation.function(**{key: arguments[key] for key in implementation.argnames})
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a plugin that exits does not end the run
                cause = str(error) or type(error).__name__
                self._failed.add(name)
                log.warning("the %s failed in %s and is left out from here on: %s", _told(name), hook, cause)
                log.debug("traceback of %s", name, exc_info=True)


def _told(observer: str) -> str:
    return observer if observer.startswith(TRACKER) else f"plugin {observer}"


class Pace:
    """Examples a second over the last few steps."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._rate = 0.0

    def step(self, examples: int) -> float:
        """Count a step of so many examples and return the smoothed rate."""
        now = time.monotonic()
        rate = examples / max(now - self._last, 1e-9)
        self._last = now
        self._rate = rate if self._rate == 0 else 0.8 * self._rate + 0.2 * rate
        return self._rate
