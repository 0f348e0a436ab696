"""The report's section of rows that are worth a look: the most confident mistakes, and labels that are doubted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from adapt_core.capabilities import SupportsDrawnRows, SupportsShownRows
from adapt_core.contracts import Task, TaskData
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import RecordedEvaluation
from adapt_core.uncertainty.worst import shown_row, worst_rows

log = logging.getLogger(__name__)


def recorded_rows(task: Task, data: TaskData, found: Sequence[EvaluatedRows]) -> list[dict[str, Any]]:
    """Return the lists of an evaluation of the validation split as `evaluation.json` has them, with their inputs."""
    lists = []
    for rows in found:
        for one in worst_rows(rows):
            shown = [shown_row(rows, position) for position in one.positions]
            for row, given in zip(shown, _seen(task, data, rows, one.positions), strict=True):
                row |= given
            lists.append({"title": one.title, "rows": shown})
    return lists


def worst_section(evidence: Mapping[str, RecordedEvaluation]) -> list[dict[str, Any]]:
    """Return the lists of the last evaluation that has any.

    Args:
        evidence: what `evaluation.json` has.
    """
    for moment in ("after", "before"):
        taken = evidence.get(moment)
        if taken and (lists := taken.get("worst")):
            return list(lists)
    return []


def _seen(task: Task, data: TaskData, rows: EvaluatedRows, positions: Sequence[int]) -> list[Mapping[str, Any]]:
    """Return what a task shows of rows: their inputs, or also what is expected and predicted, drawn."""
    try:
        if isinstance(task, SupportsDrawnRows) and rows.details is not None:
            return list(task.drawn_rows(data, rows, positions))
        if isinstance(task, SupportsShownRows):
            numbers = [int(rows.rows[position]) for position in positions]
            return [{"input": given} for given in task.shown_inputs(data, numbers)]
    except Exception as error:  # noqa: BLE001 - a task can raise anything, and a report ends no run that has trained
        log.warning("the inputs of mistakes are not shown: %s: %s", type(error).__name__, error)
    return [{"input": None}] * len(positions)
