"""FOLDS: a run for each fold, the predictions of all rows by models that did not see them, and one table."""

from __future__ import annotations

import json
import logging
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.distributed import torchrun
from adapt_core.errors import InputError
from adapt_core.execution.command import Command
from adapt_core.execution.finished_run import FinishedRun
from adapt_core.execution.test_split import predicted_rows, write_predictions
from adapt_core.plugin.registry import Registry
from adapt_core.report.folds import folds_card, spreads
from adapt_core.result import RunResult
from adapt_core.run_folder.claims import complete, place_text, placed_folder, refuse
from adapt_core.run_folder.inputs import refuse_overlap
from adapt_core.run_folder.names import PREDICTIONS
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder, differing_keys

HELD_OUT = "validation.jsonl"
"""In `predictions/` of a fold's run: a line for each row that it holds out."""

OUT_OF_FOLD = "out_of_fold.jsonl"
"""In `predictions/` of the whole: a line for each row, in the order of the data."""

log = logging.getLogger(__name__)


def run_folds(plan: Plan, registry: Registry) -> RunResult:
    """Run all folds of a plan and return the result of the whole, whose metrics are means over the folds.

    Folds that have finished are not run again with `--resume`.

    Raises:
        InputError: a fold cannot be run, or the folder holds another run.
    """
    if torchrun.place() is not None:
        raise InputError(
            "FOLDS starts a run for each fold, and torchrun has started this one. Start adapt run itself, or give each "
            "torchrun one fold (FOLD: 1)."
        )
    folder = RunFolder(plan.output_dir)
    refuse_overlap(plan)
    refuse(folder.path, Ownership.of(folder.path).unclaimed())
    folder.prepare()
    with folder.locked():
        owner = Ownership.of(folder.path)
        owner.settle()
        finished = _enter(plan, folder, owner)
        if finished is not None:
            return finished
        folder.write_config(plan)
        results = [_run_fold(one, registry) for one in fold_plans(plan)]
        return _finish(plan, folder, results)


def fold_plans(plan: Plan) -> list[Plan]:
    """Return the plan of each fold, in OUTPUT_DIR/fold-1 and so on."""
    folds = plan.data.folds or 0
    return [
        attrs.evolve(plan, output_dir=f"{plan.output_dir}/fold-{number}", data=attrs.evolve(plan.data, fold=number))
        for number in range(1, folds + 1)
    ]


def _enter(plan: Plan, folder: RunFolder, owner: Ownership) -> RunResult | None:
    """Return the result where a resume meets a finished run; take the folder otherwise."""
    finished = folder.finished()
    if plan.resume is not None:
        if plan.resume != "auto":
            raise InputError(
                "RESUME_FROM_CHECKPOINT names the checkpoint of one run, and FOLDS has several. Use --resume, or true."
            )
        if folder.started() and (differing := differing_keys(folder.stored_keys(), plan)):
            raise InputError(
                f"the folds in {folder.path} cannot be resumed with other values of {'; '.join(differing[:5])}. "
                "Give the same values, or another OUTPUT_DIR."
            )
        return finished
    if folder.started() and not plan.run.overwrite_output_dir:
        state = "finished" if finished else "unfinished"
        raise InputError(
            f"OUTPUT_DIR {folder.path} holds {state} folds. Go on with them (--resume), or replace them (--set "
            "OVERWRITE_OUTPUT_DIR=true)."
        )
    if owner.has_written:
        refuse(folder.path, owner.foreign())
        owner.remove_written()
    return None


def _run_fold(plan: Plan, registry: Registry) -> RunResult:
    """Run a fold, or return its result where a resume finds it finished, and predict the rows that it holds out."""
    folder = RunFolder(plan.output_dir)
    held = folder.finished() if plan.resume is not None and folder.path.exists() else None
    begun = folder.path.exists() and folder.started()
    result = held or Command.of(attrs.evolve(plan, resume=plan.resume if begun else None), registry).execute()
    file = folder.path / PREDICTIONS / HELD_OUT
    if not (held and file.exists()):
        _predict_held_out(plan)
    return result


def _predict_held_out(plan: Plan) -> None:
    # The model in the folder is this run's own, so its pickle is trusted.
    trusted = plan.model.trust_remote_code or plan.run.save_method == "full_torch_model"
    finished = FinishedRun.open(plan.output_dir, plan.disabled_plugins, trust=trusted)
    data = finished.task.load_data()
    rows, numbers = data.rows["validation"], data.row_numbers["validation"]
    lines: list[dict[str, Any]] = [
        {"row": number, "fold": plan.data.fold, "data": _plain(row), "predicted": found}
        for number, row, found in zip(numbers, rows, predicted_rows(finished, rows), strict=True)
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


def _finish(plan: Plan, folder: RunFolder, results: list[RunResult]) -> RunResult:
    lines = []
    for one in fold_plans(plan):
        file = RunFolder(one.output_dir).path / PREDICTIONS / HELD_OUT
        lines += [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    with placed_folder(folder.path, PREDICTIONS) as temporary:
        text = "".join(
            f"{json.dumps(line, ensure_ascii=False)}\n" for line in sorted(lines, key=lambda one: one["row"])
        )
        (temporary / OUT_OF_FOLD).write_text(text, encoding="utf-8", newline="")
    found, first = spreads(results), results[0]
    result = attrs.evolve(
        first,
        metrics={
            moment: {name: one["mean"] for name, one in found[moment].items()} if moment in found else None
            for moment in first.metrics
        },
        train_seconds=sum(result.train_seconds for result in results),
        steps=sum(result.steps for result in results),
        peak_memory_bytes=max(result.peak_memory_bytes for result in results),
        artifacts={f"fold {number}": f"fold-{number}" for number in range(1, len(results) + 1)},
        artifact_bytes={},
        merge=None,
        folds=found,
        data={"folds": len(results), "rows": len(lines)},
        config_sha256=plan.config_sha256,
        output_dir=str(folder.path),
        warnings=tuple(
            f"fold {number}: {warning}" for number, result in enumerate(results, start=1) for warning in result.warnings
        ),
    )
    title = f"{plan.task.name} with {plan.method.name}: {len(results)} folds"
    place_text(folder.path, folder.card.name, folds_card(title, result))
    place_text(folder.path, folder.result.name, result.to_json())
    complete(folder.path)
    return result
