"""KEEP: soup: the checkpoints of a run in the order of their metric, the best of which are kept."""

from __future__ import annotations

import logging
from pathlib import Path

import attrs

from adapt_core.run_folder.checkpoints import fault, found, step_of
from adapt_core.run_folder.metric_lines import MetricLines
from adapt_core.run_folder.names import CHECKPOINTS
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder

log = logging.getLogger(__name__)


@attrs.frozen
class Ranked:
    """An evaluated checkpoint: its step, and the metric that decides what is best."""

    step: int
    value: float


class Ranking:
    """Ranks the checkpoints in a run folder by what `metrics.jsonl` says of their steps.

    A resumed run ranks them as one without a stop does: a checkpoint that a stop made between evaluations has no rank.

    Args:
        folder: of the run.
        metric: that decides what is best.
        direction: "higher" or "lower".
        keep: how many are kept.
    """

    def __init__(self, folder: RunFolder, metric: str, direction: str, keep: int) -> None:
        self.metric, self.direction, self.keep = metric, direction, keep
        self._folder = folder
        self._lines = MetricLines(folder.metrics)
        self._values: dict[int, float] = {}

    def is_better(self, value: float, than: float) -> bool:
        """Return whether a value of the metric is better than another."""
        return value > than if self.direction == "higher" else value < than

    def best(self) -> list[Ranked]:
        """Return the best checkpoints that there are, the best first; of equal ones the earlier."""
        lines, whole = self._lines.more()
        if whole:
            self._values = {}
        for line in lines:
            if line["phase"] == "eval" and line.get(self.metric) is not None:
                self._values[line["step"]] = float(line[self.metric])
        sign = -1 if self.direction == "higher" else 1
        steps = [step_of(path) for path in found(self._folder.checkpoints)]
        ranked = [Ranked(step, self._values[step]) for step in steps if step in self._values]
        return sorted(ranked, key=lambda one: (sign * one.value, one.step))[: self.keep]

    def complete(self) -> list[Ranked]:
        """Return the best checkpoints that are complete, as `best` does. Log which are skipped, and why."""
        whole = []
        for one in self.best():
            reason = fault(self.folder_of(one.step))
            if reason is None:
                whole.append(one)
            else:
                log.warning("%s is left out of the average: %s.", self.folder_of(one.step).name, reason)
        return whole

    def folder_of(self, step: int) -> Path:
        """Return the folder of a step's checkpoint."""
        return self._folder.checkpoints / f"checkpoint-{step}"

    def prune(self) -> None:
        """Delete the checkpoints that are neither among the best nor the newest; only what the run wrote."""
        owner = Ownership.of(self._folder.path)
        folders = found(self._folder.checkpoints)
        own = [path for path in folders if f"{CHECKPOINTS}/{path.name}" in owner.written and not path.is_symlink()]
        newest = max(map(step_of, own), default=0)
        spared = {newest, *(one.step for one in self.best())}
        for path in own:
            if step_of(path) not in spared:
                owner.forget(f"{CHECKPOINTS}/{path.name}")
