"""A report's predictions and class scores, before and after training.

It is in `evaluation.json` of the run folder, so that a resumed run still shows what "before" looked like.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from adapt_core.capabilities import (
    SupportsCachedSamples,
    SupportsDecisions,
    SupportsRowContents,
    SupportsSamples,
    kept_of,
)
from adapt_core.config.plan import Plan
from adapt_core.contracts import Loop, Task, TaskData
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import (
    LARGEST_CONFUSION,
    ClassTable,
    Decisions,
    Evaluated,
    PerClass,
    RecordedEvaluation,
    Sample,
    deciding_metric,
    direction_of,
    further_split,
)
from adapt_core.report.worst import recorded_rows
from adapt_core.result import without_nan
from adapt_core.run_folder.claims import place_text
from adapt_core.run_folder.paths import RunFolder
from adapt_core.uncertainty.intervals import BRIEF, Interval, intervals_of
from adapt_core.uncertainty.kept_rows import keep_rows
from adapt_core.verification.predictions import class_findings, score_findings, text_findings

log = logging.getLogger(__name__)

SAMPLES = 6
"""Validation rows that are shown."""


class EvaluationRecord:
    """Gathers what a run shows of its evaluations.

    Every process takes part (the forward pass of a sharded model needs them all); rank 0 writes.

    Args:
        task, data: of the run.
        folder: whose `evaluation.json` is written.
        plan: of the run.
        directions: the task's metrics, each with "higher" or "lower".
        is_main: whether this is rank 0.

    Attributes:
        intervals: moment -> metric -> its 95 % interval, of what was evaluated; on rank 0.
        decisions, also: as `result.json` has them (see `RunResult`).
    """

    def __init__(
        self,
        task: Task,
        data: TaskData,
        folder: RunFolder,
        *,
        plan: Plan,
        directions: Mapping[str, str],
        is_main: bool,
    ) -> None:
        self._task = task
        self._data = data
        self._folder = folder
        self._training = plan.training
        self._keeps_rows = plan.run.keep_predictions
        self._directions = directions
        self._is_main = is_main
        self.intervals: dict[str, dict[str, Interval]] = {}
        self._brief: dict[str, dict[str, Interval]] = {}
        self._per_class: ClassTable | dict[str, Any] = {}
        self.decisions: dict[str, dict[str, Any]] = {}
        self.also: dict[str, dict[str, dict[str, float] | None]] = {}

    def record(self, moment: str, loop: Loop, metrics: Mapping[str, float]) -> list[str]:
        """Record the predictions and class scores of the model as it is on the validation split.

        Args:
            moment: "before" or "after".
            loop: that holds the model.
            metrics: of the evaluation of these weights, which has been made already.

        Returns:
            what is wrong with the predictions; see `adapt_core.verification.predictions`.
        """
        found = kept_of(loop, metrics)
        table = found.table
        decided = self._decide(found, "validation")
        rows = decided.applied_to(found.rows)
        final = moment == "after" or not self._training.do_train
        if final:
            self._measure(moment, found.rows, metrics)
            if self._is_main and self._keeps_rows:
                self._keep_rows(rows)
        elif self._is_main:
            self._brief[moment] = intervals_of(found.rows, metrics, self._training.seed, BRIEF)
        kept = (
            self._task.evaluated_samples(metrics, self._data) if isinstance(self._task, SupportsCachedSamples) else None
        )
        samples = cast("list[Sample]", self._samples(loop) if kept is None else kept)
        taken: RecordedEvaluation = {"samples": samples, "per_class": _plain(table) if table is not None else None}
        if final and taken["per_class"] is not None:
            self._per_class = without_nan(taken["per_class"])
        if self._is_main and final:
            taken["worst"] = recorded_rows(self._task, self._data, rows)
        further = {}
        for name, examples in self._data.further.items():
            further[name] = loop.evaluate(examples)
            if final:
                self._measure(further_split(name), kept_of(loop, further[name]).rows, further[name])
        if further:
            self._keep_further(moment, further)
            taken["also"] = further
        if self._is_main and any(taken.values()):
            held = without_nan({**stored(self._folder), moment: taken})
            place_text(self._folder.path, self._folder.evaluation.name, json.dumps(held, allow_nan=False))
        return [
            *decided.findings,
            *(self._findings(table, metrics, "validation") or text_findings(samples, "validation")),
        ]

    def results(self) -> dict[str, Any]:
        """Return what was gathered, by its place in `result.json`."""
        lines = self._folder.metric_lines() if self._is_main else []
        return {
            "intervals": self.intervals,
            "decisions": self.decisions,
            "also": self.also,
            "per_class": self._per_class,
            "evaluations": [line for line in lines if line["phase"] in ("before", "eval", "after")],
        }

    def intervals_of(self, moment: str) -> Mapping[str, Interval]:
        """Return the intervals of an evaluation, also of one that training will follow; on rank 0."""
        return self.intervals.get(moment) or self._brief.get(moment, {})

    def _keep_rows(self, found: Sequence[EvaluatedRows]) -> None:
        task = self._task
        contents_of = partial(task.row_contents, self._data) if isinstance(task, SupportsRowContents) else None
        keep_rows(self._folder, found, self._data.rows.get("validation"), contents_of)

    def _keep_further(self, moment: str, further: Mapping[str, Mapping[str, float]]) -> None:
        """Keep the metrics of further data sets; of a resumed run, those before training are in its folder."""
        earlier: Mapping[str, Any] = stored(self._folder).get("before", {}) if moment == "after" else {}
        for name, metrics in further.items():
            held = self.also.setdefault(name, {"before": earlier.get("also", {}).get(name), "after": None})
            held[moment] = dict(metrics)
            words = ", ".join(f"{metric} {value:.4g}" for metric, value in metrics.items())
            log.info("%s, %s: %s", moment, name, words)

    def examine(self, split: str, loop: Loop, metrics: Mapping[str, float]) -> list[str]:
        """Return what is wrong with the predictions of an evaluation that is not recorded, as `record` does."""
        found = kept_of(loop, metrics)
        self._decide(found, split)
        self._measure(split, found.rows, metrics)
        return self._findings(found.table, metrics, split)

    def _decide(self, found: Evaluated, split: str) -> Decisions:
        """Record what predictions decide by and how well that does on a split, and return it."""
        if not isinstance(self._task, SupportsDecisions):
            return Decisions()
        decided = self._task.decisions(found, self._data)
        for name, tuned in decided.tuned.items():
            self.decisions.setdefault(name, dict(tuned))
        for name, measured in decided.measured.items():
            self.decisions.setdefault(name, {})[split] = dict(measured)
        return decided

    def _measure(self, moment: str, found: Sequence[EvaluatedRows], metrics: Mapping[str, float]) -> None:
        held = intervals_of(found, metrics, self._training.seed) if self._is_main else {}
        if held:
            self.intervals[moment] = held

    def _findings(self, table: PerClass | None, metrics: Mapping[str, float], split: str) -> list[str]:
        found = class_findings(table, split) if table is not None else []
        name = deciding_metric(metrics, self._directions, self._training.metric_for_best)
        return found or score_findings(metrics, name, direction_of(name, self._directions), split)

    def _samples(self, loop: Loop) -> list[dict[str, Any]]:
        if not isinstance(self._task, SupportsSamples):
            return []
        from torch import no_grad

        from adapt_core.nn.modes import evaluation_mode
        from adapt_core.nn.random_state import untouched_random_state

        model = loop.unwrap_model()
        try:
            with untouched_random_state(), no_grad(), evaluation_mode(model):
                return self._task.samples(model, self._data, SAMPLES)
        except Exception as error:
            log.warning("no samples for the report: %s: %s", type(error).__name__, error)
            log.debug("traceback of the samples", exc_info=True)
            return []


def stored(folder: RunFolder) -> dict[str, RecordedEvaluation]:
    """Return the contents of a run folder's `evaluation.json`, by moment; empty where there is none."""
    try:
        held: dict[str, RecordedEvaluation] = json.loads(folder.evaluation.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read (%s): what it had is left out of the report.", folder.evaluation, error)
        return {}
    return held if isinstance(held, dict) else {}


def _plain(table: PerClass) -> ClassTable:
    small = len(table.labels) <= LARGEST_CONFUSION and table.confusion is not None
    return {
        "labels": list(table.labels),
        "figures": {name: list(values) for name, values in table.figures.items()},
        "confusion": [list(row) for row in table.confusion or ()] if small else None,
    }
