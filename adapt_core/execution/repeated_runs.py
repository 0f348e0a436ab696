"""FOLDS and SEEDS: several runs of a plan that differ in one thing, and one table of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

import attrs

from adapt_core.config.plan import Plan
from adapt_core.distributed import torchrun
from adapt_core.errors import InputError
from adapt_core.evaluation import Statistic
from adapt_core.report.repeated_runs import repeated_card, spreads
from adapt_core.result import RunResult
from adapt_core.result_records import TrainingVerdict
from adapt_core.run_folder.claims import complete, place_text, refuse
from adapt_core.run_folder.inputs import Digests, changed_inputs, digest_inputs, refuse_changes, refuse_overlap
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder, differing_keys

Ran = Sequence[tuple[Plan, RunResult]]
"""The runs that have finished: the plan and the result of each."""


@attrs.frozen(kw_only=True)
class Repetition:
    """What the runs of a plan differ in.

    Attributes:
        key: that asks for them ("FOLDS").
        one: what a run is called ("fold").
        plans: number of a run -> its plan, whose folder lies in that of the whole.
        run: runs one of these plans.
        note: a paragraph of the table's page on what its intervals say.
        complete: makes what a run that had finished before may lack; nothing by default.
        join: makes what belongs to all of them, and returns statistics for the `data` of the result; none by default.
    """

    key: str
    one: str
    plans: Mapping[int, Plan]
    run: Callable[[Plan], RunResult]
    note: str
    complete: Callable[[Plan], None] = lambda _: None
    join: Callable[[Ran], Mapping[str, Statistic]] = lambda _: {}


def run_repeatedly(plan: Plan, repetition: Repetition) -> RunResult:
    """Run the plans of a repetition and return the result of the whole, whose metrics are means over them.

    Those that have finished are not run again with `--resume`.

    Raises:
        InputError: one cannot be run, or the folder holds another run.
    """
    if torchrun.place() is not None:
        raise InputError(
            f"{repetition.key} starts several runs, and torchrun has started this one. Start adapt run itself, or give "
            f"each torchrun one {repetition.one}."
        )
    folder = RunFolder(plan.output_dir)
    refuse_overlap(plan)
    refuse(folder.path, Ownership.of(folder.path).unclaimed())
    folder.prepare()
    with folder.locked():
        owner = Ownership.of(folder.path)
        owner.settle()
        finished = _enter(plan, folder, owner, repetition)
        if finished is not None:
            return finished
        if plan.resume is not None:
            _require_same_keys(repetition)
            _require_same_inputs(plan, digest_inputs(plan), repetition)
        folder.write_config(plan)
        results = [_run_one(one, repetition) for one in repetition.plans.values()]
        return _finish(plan, folder, results, repetition)


def _enter(plan: Plan, folder: RunFolder, owner: Ownership, repetition: Repetition) -> RunResult | None:
    """Return the result where a resume meets a finished run; take the folder otherwise."""
    finished = folder.finished()
    if plan.resume is not None:
        if plan.resume != "auto":
            raise InputError(
                f"RESUME_FROM_CHECKPOINT names the checkpoint of one run, and {repetition.key} has several. Use "
                "--resume, or true."
            )
        if folder.started() and (differing := differing_keys(folder.stored_keys(), plan)):
            raise InputError(
                f"the {repetition.one}s in {folder.path} cannot be resumed with other values of "
                f"{'; '.join(differing[:5])}. "
                "Give the same values, or another OUTPUT_DIR."
            )
        return finished
    if folder.started() and not plan.run.overwrite_output_dir:
        state = "finished" if finished else "unfinished"
        raise InputError(
            f"OUTPUT_DIR {folder.path} holds {state} {repetition.one}s. Go on with them (--resume), or replace them "
            "(--set OVERWRITE_OUTPUT_DIR=true)."
        )
    if owner.has_written:
        refuse(folder.path, owner.foreign())
        owner.remove_written()
    return None


def _run_one(plan: Plan, repetition: Repetition) -> RunResult:
    """Run one of the plans, or return its result where a resume finds it finished."""
    folder = RunFolder(plan.output_dir)
    begun = folder.path.exists() and folder.started()
    held = folder.finished() if plan.resume is not None and begun else None
    if held is None:
        return repetition.run(attrs.evolve(plan, resume=plan.resume if begun else None))
    repetition.complete(plan)
    return held


def _require_same_keys(repetition: Repetition) -> None:
    """Check that each run that has begun is of the same config: it may have been made elsewhere.

    Raises:
        InputError: one is of another.
    """
    for one in repetition.plans.values():
        folder = RunFolder(one.output_dir)
        if folder.started() and (differing := differing_keys(folder.stored_keys(), one)):
            raise InputError(
                f"{folder.path} holds a {repetition.one} with other values of {'; '.join(differing[:5])}. Give the "
                "same values, or another OUTPUT_DIR."
            )


def _require_same_inputs(plan: Plan, now: Digests, repetition: Repetition) -> None:
    """Check that data and base model are as they were in each run that has begun.

    Args:
        plan: of the whole.
        now: the digests that they have.
        repetition: its runs.

    Raises:
        InputError: they have changed, and RESUME_WITH_CHANGES does not accept it.
    """
    changes = [
        f"{name} has changed since {repetition.one} {number}"
        for number, one in repetition.plans.items()
        if (kept := Ownership.of(RunFolder(one.output_dir).path).inputs)
        for name in changed_inputs(kept, now)
    ]
    refuse_changes(plan, changes)


def _finish(plan: Plan, folder: RunFolder, results: list[RunResult], repetition: Repetition) -> RunResult:
    ran = list(zip(repetition.plans.values(), results, strict=True))
    _require_same_inputs(plan, Ownership.of(RunFolder(ran[0][0].output_dir).path).inputs, repetition)
    joined = repetition.join(ran)
    found, first, word = spreads(results), results[0], repetition.one
    numbered = dict(zip(repetition.plans, results, strict=True))
    result = attrs.evolve(
        first,
        metrics={
            moment: {name: one["mean"] for name, one in found[moment].items()} if moment in found else None
            for moment in first.metrics
        },
        intervals={},
        decisions={},
        also={},
        train_seconds=sum(result.train_seconds for result in results),
        samples_per_second=statistics.fmean(result.samples_per_second for result in results),
        steps=sum(result.steps for result in results),
        peak_memory_bytes=max(result.peak_memory_bytes for result in results),
        artifacts={f"{word} {number}": f"{word}-{number}" for number in numbered},
        artifact_bytes={},
        merge=None,
        training_check=_training_check(numbered, word),
        verdict={},
        folds=found if word == "fold" else {},
        seeds=found if word == "seed" else {},
        data={**_alike(results), f"{word}s": len(results), **joined},
        config_sha256=plan.config_sha256,
        output_dir=str(folder.path),
        warnings=tuple(
            f"{word} {number}: {warning}" for number, result in numbered.items() for warning in result.warnings
        ),
    )
    title = f"{plan.task.name} with {plan.method.name}: {len(results)} {word}s"
    place_text(folder.path, folder.card.name, repeated_card(title, result, found, word, repetition.note))
    place_text(folder.path, folder.result.name, result.to_json())
    complete(folder.path)
    return result


def _training_check(results: Mapping[int, RunResult], word: str) -> TrainingVerdict:
    """Return the verdict that all runs have, or that of each, and their steps together."""
    verdicts = {number: result.training_check["verdict"] for number, result in results.items()}
    said = "; ".join(f"{word} {number}: {verdict}" for number, verdict in verdicts.items())
    steps = sum(result.training_check["steps"] for result in results.values())
    alike = len(set(verdicts.values())) == 1
    return {"verdict": next(iter(verdicts.values())) if alike else said, "steps": steps}


def _alike(results: Sequence[RunResult]) -> dict[str, Statistic]:
    """Return what all runs found of the data, without the rows of their splits."""
    return {
        name: value
        for name, value in results[0].data.items()
        if all(result.data.get(name) == value for result in results) and name not in ("train_rows", "validation_rows")
    }
