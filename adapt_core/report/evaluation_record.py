"""A report's predictions and class scores, before and after training.

It is in `evaluation.json` of the run folder, so that a resumed run still shows what "before" looked like.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import attrs

from adapt_core.capabilities import SupportsCachedSamples, SupportsPerClass, SupportsSamples
from adapt_core.contracts import Loop, Task, TaskData
from adapt_core.evaluation import PerClass
from adapt_core.run_folder.files import write_text
from adapt_core.run_folder.ownership import claim
from adapt_core.run_folder.paths import RunFolder

log = logging.getLogger(__name__)

SAMPLES = 6
"""Validation rows that are shown."""

LARGEST_CONFUSION = 100
"""Classes up to which the counts of confusions are kept (they grow with the square)."""


class EvaluationRecord:
    """Gathers what a run shows of its evaluations.

    Every process takes part (the forward pass of a sharded model needs them all); rank 0 writes.

    Args:
        task, data: of the run.
        folder: whose `evaluation.json` is written.
        is_main: whether this is rank 0.
    """

    def __init__(self, task: Task, data: TaskData, folder: RunFolder, is_main: bool) -> None:
        self._task = task
        self._data = data
        self._folder = folder
        self._is_main = is_main

    def record(self, moment: str, loop: Loop, metrics: Mapping[str, float]) -> None:
        """Record the predictions and class scores of the model as it is.

        Args:
            moment: "before" or "after".
            loop: that holds the model.
            metrics: of the evaluation of these weights, which has been made already.
        """
        table = loop.per_class(metrics) if isinstance(loop, SupportsPerClass) else None
        kept = (
            self._task.evaluated_samples(metrics, self._data) if isinstance(self._task, SupportsCachedSamples) else None
        )
        samples = self._samples(loop) if kept is None else kept
        taken = {"samples": samples, "per_class": table and _plain(table)}
        if self._is_main and any(taken.values()):
            claim(self._folder.path, self._folder.evaluation.name)
            write_text(self._folder.evaluation, json.dumps({**stored(self._folder), moment: taken}))

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


def stored(folder: RunFolder) -> dict[str, Any]:
    """Return the contents of a run folder's `evaluation.json`, by moment; empty where there is none."""
    try:
        held: dict[str, Any] = json.loads(folder.evaluation.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read (%s): what it had is left out of the report.", folder.evaluation, error)
        return {}
    return held if isinstance(held, dict) else {}


def _plain(table: PerClass) -> dict[str, Any]:
    small = len(table.labels) <= LARGEST_CONFUSION
    return attrs.asdict(table if small else attrs.evolve(table, confusion=None))
