"""The test split of a finished run predicted, as `adapt predict` would (DO_PREDICT)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

from adapt_core.capabilities import SupportsTestPrediction
from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.execution.finished_run import FinishedRun
from adapt_core.execution.rows import as_arguments
from adapt_core.result import RunResult
from adapt_core.run_folder.files import write_text
from adapt_core.run_folder.names import PREDICTIONS
from adapt_core.run_folder.predictions import fresh_predictions, seal_predictions

FILE = "test.jsonl"
"""In `predictions/`: a line for each row of the test split."""

log = logging.getLogger(__name__)


def predict_test_split(plan: Plan, result: RunResult) -> None:
    """Predict the test split with the model that a run has saved, where DO_PREDICT asks for it.

    A row that cannot be predicted is logged: the run has finished.
    """
    if not plan.run.do_predict:
        return
    # The model in the folder is this run's own, so its pickle is trusted.
    trusted = plan.model.trust_remote_code or plan.run.save_method == "full_torch_model"
    finished = FinishedRun.open(result.output_dir, plan.disabled_plugins, trust=trusted)
    task = finished.task
    assert isinstance(task, SupportsTestPrediction)
    try:
        rows = task.test_inputs()
        if rows is None:
            log.warning("DO_PREDICT: the data has no test split, so nothing is predicted.")
            return
        inputs = task.read_inputs(as_arguments(rows))
        log.info("predicting the %d rows of the test split", len(inputs))
        predictions = task.predict(finished.model(), finished.folder.model, inputs)
    except InputError as error:
        log.warning("the test split is not predicted: %s", error)
        return
    folder = finished.folder.path / PREDICTIONS
    if not folder.is_dir():
        fresh_predictions(finished.folder.path, [])
    lines = (json.dumps({**kept, **found}, ensure_ascii=False) for kept, found in _beside(rows, predictions))
    write_text(folder / FILE, "".join(f"{line}\n" for line in lines))
    seal_predictions(finished.folder.path)
    log.info("predictions of the test split: %s", folder / FILE)


def _beside(rows: Any, predictions: Sequence[Mapping[str, Any]]) -> Iterable[tuple[dict[str, Any], Mapping[str, Any]]]:
    """Yield each prediction with the cells of its row that are text or numbers, which tell rows apart (`id`)."""
    tables = rows if len(rows) == len(predictions) else repeat({})
    for row, prediction in zip(tables, predictions, strict=False):
        cells = row.items() if isinstance(row, Mapping) else ()
        yield {name: cell for name, cell in cells if isinstance(cell, (str, int, float))}, prediction
