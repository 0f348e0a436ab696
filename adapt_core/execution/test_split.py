"""The test split of a finished run predicted, as `adapt predict` would (DO_PREDICT)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.errors import BadInputsError, InputError
from adapt_core.execution.components import require_test_prediction
from adapt_core.execution.finished_run import FinishedRun
from adapt_core.execution.rows import Table, as_arguments
from adapt_core.nn.products import fast_products
from adapt_core.run_folder.claims import placed_folder, refuse
from adapt_core.run_folder.files import write_bytes
from adapt_core.run_folder.names import PREDICTIONS
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.predictions import seal_predictions

if TYPE_CHECKING:
    from torch import nn

FILE = "test.jsonl"
"""In `predictions/`: a line for each row of the test split."""

_SHOWN = 5

log = logging.getLogger(__name__)


def predict_test_split(plan: Plan, *, trust: bool) -> None:
    """Predict the test split with the model that a run has saved, where DO_PREDICT asks for it and no run has done it.

    The run has finished: a row that cannot be predicted has the reason in place of a prediction, and where none can be,
    or the file not be written, the log says why.

    Args:
        plan: of the run.
        trust: load a pickled model, which can run code.

    Raises:
        InputError: the task does not predict its test split.
    """
    if not plan.run.do_predict:
        return
    finished = FinishedRun.open(plan.output_dir, plan.disabled_plugins, trust=trust)
    task, run = require_test_prediction(finished.task, plan), finished.folder.path
    file = run / PREDICTIONS / FILE
    if PREDICTIONS in Ownership.of(run).written and file.exists():
        return
    try:
        rows = task.test_inputs()
        if rows is None:
            log.warning("DO_PREDICT: the data has no test split, so nothing is predicted.")
            return
        refuse(run, Ownership.of(run).foreign(PREDICTIONS))
        log.info("predicting the %d rows of the test split", len(rows))
        with fast_products(wanted=plan.training.fast_products):
            predicted = predicted_rows(finished, rows)
        lines = [{**_cells(row), **found} for row, found in zip(rows, predicted, strict=True)]
        write_predictions(run, FILE, lines)
    except InputError as error:
        log.warning("the test split is not predicted: %s", error)
        return
    log.info("predictions of the test split: %s", file)


def predicted_rows(finished: FinishedRun, rows: Table) -> list[Mapping[str, Any]]:
    """Return the prediction of each row, or {"error": reason} where it has none.

    Raises:
        BadInputsError: no row can be predicted.
    """
    answers: list[Mapping[str, Any]] = [{}] * len(rows)
    good = list(range(len(rows)))
    model: nn.Module | None = None
    while True:
        try:
            inputs = finished.task.read_inputs(as_arguments(_only(rows, good)))
            model = finished.model() if model is None else model
            predictions = finished.task.predict(model, finished.folder.model, inputs)
        except BadInputsError as error:
            if len(error.faults) == len(good):
                raise
            bad = {good[number - 1]: fault.removeprefix(":").strip() for number, fault in error.faults.items()}
            for row, fault in list(bad.items())[:_SHOWN]:
                log.warning("the test split: row %d has no prediction: %s", row + 1, fault)
            if len(bad) > _SHOWN:
                log.warning("the test split: %d more rows have no prediction.", len(bad) - _SHOWN)
            for row, fault in bad.items():
                answers[row] = {"error": fault}
            good = [row for row in good if row not in bad]
            continue
        for row, prediction in zip(good, predictions, strict=True):
            answers[row] = prediction
        return answers


def _only(rows: Table, numbers: Sequence[int]) -> Table:
    return [rows[number] for number in numbers] if isinstance(rows, Sequence) else rows.select(numbers)


def _cells(row: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Return the cells of a row that are text or numbers: they tell rows apart (`id`)."""
    return {name: cell for name, cell in row.items() if isinstance(cell, (str, int, float))}


def write_predictions(run: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a file of lines into `predictions/`, beside what the task has drawn there; see `fresh_predictions`."""
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
    if PREDICTIONS in Ownership.of(run).written and (run / PREDICTIONS).is_dir():
        write_bytes(run / PREDICTIONS / name, lines)
        seal_predictions(run)
        return
    with placed_folder(run, PREDICTIONS) as temporary:
        (temporary / name).write_bytes(lines)
