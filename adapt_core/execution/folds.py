"""FOLDS: a run for each fold, the predictions of all rows by models that did not see them, and one table."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Sequence

import attrs

from adapt_core.config.plan import Plan
from adapt_core.distributed import torchrun
from adapt_core.errors import InputError
from adapt_core.evaluation import Statistic
from adapt_core.execution.out_of_fold import join_folds, predict_held_out, run_fold
from adapt_core.plugin.registry import Registry
from adapt_core.report.folds import folds_card, spreads
from adapt_core.result import RunResult, TrainingVerdict
from adapt_core.run_folder.claims import complete, place_text, refuse
from adapt_core.run_folder.inputs import Digests, changed_inputs, digest_inputs, refuse_changes, refuse_overlap
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder, differing_keys

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
        if plan.resume is not None:
            _require_same_keys(plan)
            _require_same_inputs(plan, digest_inputs(plan))
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
    begun = folder.path.exists() and folder.started()
    held = folder.finished() if plan.resume is not None and begun else None
    if held is None:
        return run_fold(attrs.evolve(plan, resume=plan.resume if begun else None), registry)
    predict_held_out(plan)
    return held


def _require_same_keys(plan: Plan) -> None:
    """Check that each fold that has begun is of the same config: it may have been run elsewhere (FOLD).

    Raises:
        InputError: one is of another.
    """
    for one in fold_plans(plan):
        folder = RunFolder(one.output_dir)
        if folder.started() and (differing := differing_keys(folder.stored_keys(), one)):
            raise InputError(
                f"{folder.path} holds a fold with other values of {'; '.join(differing[:5])}. Give the same values, or "
                "another OUTPUT_DIR."
            )


def _require_same_inputs(plan: Plan, now: Digests) -> None:
    """Check that data and base model are as they were in each fold that has begun.

    Args:
        plan: of the whole.
        now: the digests that they have.

    Raises:
        InputError: they have changed, and RESUME_WITH_CHANGES does not accept it.
    """
    changes = [
        f"{name} has changed since fold {one.data.fold}"
        for one in fold_plans(plan)
        if (kept := Ownership.of(RunFolder(one.output_dir).path).inputs)
        for name in changed_inputs(kept, now)
    ]
    refuse_changes(plan, changes)


def _finish(plan: Plan, folder: RunFolder, results: list[RunResult]) -> RunResult:
    folds = list(zip(fold_plans(plan), results, strict=True))
    _require_same_inputs(plan, Ownership.of(RunFolder(folds[0][0].output_dir).path).inputs)
    rows = join_folds(plan, folds)
    found, first = spreads(results), results[0]
    result = attrs.evolve(
        first,
        metrics={
            moment: {name: one["mean"] for name, one in found[moment].items()} if moment in found else None
            for moment in first.metrics
        },
        train_seconds=sum(result.train_seconds for result in results),
        samples_per_second=statistics.fmean(result.samples_per_second for result in results),
        steps=sum(result.steps for result in results),
        peak_memory_bytes=max(result.peak_memory_bytes for result in results),
        artifacts={f"fold {number}": f"fold-{number}" for number in range(1, len(results) + 1)},
        artifact_bytes={},
        merge=None,
        training_check=_training_check(results),
        verdict={},
        folds=found,
        data={**_alike(results), "folds": len(results), "rows": rows},
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


def _training_check(results: Sequence[RunResult]) -> TrainingVerdict:
    """Return the verdict that all folds have, or that of each, and their steps together."""
    verdicts = [result.training_check["verdict"] for result in results]
    said = "; ".join(f"fold {number}: {verdict}" for number, verdict in enumerate(verdicts, start=1))
    steps = sum(result.training_check["steps"] for result in results)
    return {"verdict": verdicts[0] if len(set(verdicts)) == 1 else said, "steps": steps}


def _alike(results: Sequence[RunResult]) -> dict[str, Statistic]:
    """Return what all folds found of the data, without the rows of a fold's splits."""
    return {
        name: value
        for name, value in results[0].data.items()
        if all(result.data.get(name) == value for result in results) and name not in ("train_rows", "validation_rows")
    }
