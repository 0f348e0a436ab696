"""The rows that a fold holds out, predicted by its model, and those of all folds in one file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.execution.command import Command
from adapt_core.execution.finished_run import FinishedRun
from adapt_core.execution.test_split import predicted_rows, write_predictions
from adapt_core.nn.products import fast_products
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder.claims import placed_folder
from adapt_core.run_folder.names import PREDICTIONS
from adapt_core.run_folder.paths import RunFolder

HELD_OUT = "validation.jsonl"
"""In `predictions/` of a fold's run: a line for each row that it holds out."""

OUT_OF_FOLD = "out_of_fold.jsonl"
"""In `predictions/` of the whole: a line for each row, in the order of the data."""

Line = dict[str, Any]


def run_fold(plan: Plan, registry: Registry, since: float | None = None) -> RunResult:
    """Run one fold (FOLD), and predict the rows that it holds out, where no run has done it.

    Args:
        plan: of the fold.
        registry: of the plugins.
        since: when the command began that runs it; now without it.

    Raises:
        InputError: the data, model or folder is at fault.
    """
    command = Command.of(plan, registry, since)
    result = command.execute()
    if command.launcher.is_coordinator():
        predict_held_out(plan)
    return result


def predict_held_out(plan: Plan) -> None:
    """Write the lines of the rows that a finished fold holds out, where they are not there."""
    if (RunFolder(plan.output_dir).path / PREDICTIONS / HELD_OUT).exists():
        return
    # The model in the folder is this run's own, so its pickle is trusted.
    trusted = plan.model.trust_remote_code or plan.run.save_method == "full_torch_model"
    finished = FinishedRun.open(plan.output_dir, plan.disabled_plugins, trust=trusted)
    data = finished.task.load_data()
    rows, numbers = data.rows["validation"], data.row_numbers["validation"]
    with fast_products(wanted=plan.training.fast_products):
        predicted = predicted_rows(finished, rows)
    lines: list[Line] = [
        {"row": number, "fold": plan.data.fold, "data": _plain(row), "predicted": found}
        for number, row, found in zip(numbers, rows, predicted, strict=True)
    ]
    write_predictions(finished.folder.path, HELD_OUT, lines)


def _plain(row: Any) -> dict[str, Any]:
    """Return the cells of a row that JSON has: no images."""
    found = {}
    for name, cell in row.items():
        try:
            json.dumps(cell)
        except TypeError:
            continue
        found[name] = cell
    return found


def join_folds(plan: Plan, folds: Sequence[tuple[Plan, RunResult]]) -> int:
    """Write the lines of all folds into one file, and return how many they are.

    Args:
        plan: of the whole.
        folds: the plan and the result of each.

    Raises:
        InputError: the folds are not of the same rows.
    """
    folder, lines = RunFolder(plan.output_dir).path, []
    for fold, _ in folds:
        # Line by line: text may hold characters at which str.splitlines parts it, such as U+2028.
        with (RunFolder(fold.output_dir).path / PREDICTIONS / HELD_OUT).open(encoding="utf-8", newline="\n") as file:
            lines += [json.loads(line) for line in file]
    _require_each_row_once(plan, [result for _, result in folds], lines)
    with placed_folder(folder, PREDICTIONS) as temporary:
        ordered = sorted(lines, key=lambda one: one["row"])
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in ordered)
        (temporary / OUT_OF_FOLD).write_text(text, encoding="utf-8", newline="")
    return len(lines)


def _require_each_row_once(plan: Plan, results: Sequence[RunResult], lines: Sequence[Line]) -> None:
    remedy = "The folds are not of the same rows. Start again in another OUTPUT_DIR."
    twice = [row for row, count in Counter(line["row"] for line in lines).items() if count > 1]
    if twice:
        folds = " and ".join(str(line["fold"]) for line in lines if line["row"] == twice[0])
        raise InputError(f"FOLDS: row {twice[0]} of the data is held out by the folds {folds}. {remedy}")
    if plan.data.max_train_samples is not None or plan.data.max_eval_samples is not None:
        return  # A sample of them is neither trained on nor held out.
    for number, result in enumerate(results, start=1):
        rows = sum(int(str(result.data.get(f"{split}_rows", 0))) for split in ("train", "validation"))
        if rows != len(lines):
            raise InputError(
                f"FOLDS: fold {number} has {rows} rows, and all folds together hold out {len(lines)}. {remedy}"
            )
