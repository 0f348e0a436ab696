"""The test split of a finished run predicted, as `adapt predict` would (DO_PREDICT)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.execution.components import require_test_prediction
from adapt_core.execution.finished_run import FinishedRun
from adapt_core.execution.rows import as_arguments
from adapt_core.run_folder.claims import placed_folder
from adapt_core.run_folder.names import PREDICTIONS
from adapt_core.run_folder.ownership import Ownership, refuse

FILE = "test.jsonl"
"""In `predictions/`: a line for each row of the test split."""

log = logging.getLogger(__name__)


def predict_test_split(plan: Plan, *, trust: bool) -> None:
    """Predict the test split with the model that a run has saved, where DO_PREDICT asks for it and no run has done it.

    The run has finished: where a row cannot be predicted, or the file not be written, none is, and the log says why.

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
        inputs = finished.task.read_inputs(as_arguments(rows))
        refuse(run, Ownership.of(run).foreign(PREDICTIONS))
        log.info("predicting the %d rows of the test split", len(inputs))
        predictions = finished.task.predict(finished.model(), finished.folder.model, inputs)
        lines = (json.dumps({**kept, **found}, ensure_ascii=False) for kept, found in _beside(rows, predictions))
        with placed_folder(run, PREDICTIONS) as temporary:
            (temporary / FILE).write_bytes("".join(f"{line}\n" for line in lines).encode())
    except InputError as error:
        log.warning("the test split is not predicted: %s", error)
        return
    log.info("predictions of the test split: %s", file)


def _beside(rows: Any, predictions: Sequence[Mapping[str, Any]]) -> Iterable[tuple[dict[str, Any], Mapping[str, Any]]]:
    """Yield each prediction with the cells of its row that are text or numbers, which tell rows apart (`id`)."""
    tables = rows if len(rows) == len(predictions) else repeat({})
    for row, prediction in zip(tables, predictions, strict=False):
        cells = row.items() if isinstance(row, Mapping) else ()
        yield {name: cell for name, cell in cells if isinstance(cell, (str, int, float))}, prediction
