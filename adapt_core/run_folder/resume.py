"""Whether a run may use its folder: fresh, resumed, overwritten, finished already, or refused."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.nn.pickles import require_plain_metadata
from adapt_core.result import RunResult
from adapt_core.run_folder.checkpoints import fault, newest_complete, run_of, step_of
from adapt_core.run_folder.claims import claim, make_empty_file, refuse
from adapt_core.run_folder.inputs import (
    Digests,
    changed_inputs,
    digest_inputs,
    late_changes,
    refuse_changes,
    with_commits,
)
from adapt_core.run_folder.left_aside import take_back
from adapt_core.run_folder.names import CHECKPOINTS, LOG
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder, differing_keys

_WRITTEN_LAST = ("adapter", "model", "samples", "README.md", "report.html")

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class ResumeDecision:
    """How a run enters its folder.

    Attributes:
        folder: the run folder.
        checkpoint: where to go on from, or None to start at the beginning.
        before: the "before" metrics of the run that is resumed.
        finished: the result of a finished run that `--resume` met: there is nothing to train.
        inputs: digests of the data and the base model, for later resumes.
        replaces: whether a finished run is replaced by one that goes on from a checkpoint of elsewhere.
    """

    folder: RunFolder
    checkpoint: Path | None = None
    before: dict[str, float] | None = None
    finished: RunResult | None = None
    inputs: Digests = attrs.field(factory=dict)
    replaces: bool = False

    @property
    def step(self) -> int:
        """The step behind which the run goes on."""
        return step_of(self.checkpoint) if self.checkpoint is not None else 0

    def to_data(self) -> dict[str, Any]:
        """Return the JSON-ready form of a decision to run, for worker processes."""
        return {
            "checkpoint": self.checkpoint and str(self.checkpoint),
            "before": self.before,
            "inputs": self.inputs,
            "replaces": self.replaces,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any], folder: RunFolder) -> ResumeDecision:
        """Return the decision that `to_data` wrote, for a run folder."""
        checkpoint = data["checkpoint"]
        return cls(
            folder=folder,
            checkpoint=Path(checkpoint) if checkpoint else None,
            before=data["before"],
            inputs=data["inputs"],
            replaces=data["replaces"],
        )

    def begin(self, plan: Plan) -> None:
        """Take over the folder for this run, once data and model are loaded.

        An earlier run whose place this one takes is moved aside; `config.yaml` is written.

        Raises:
            InputError: the earlier run cannot be moved, or the hub gave another commit of data or model than it gave
                the run that is resumed; everything is as before.
        """
        owner = Ownership.of(self.folder.path)
        inputs = self.inputs and with_commits(self.inputs, plan)
        if inputs and self.checkpoint is not None and not self.replaces:
            late = late_changes(owner.inputs, self.inputs, inputs)
            refuse_changes(plan, [f"{name} has changed" for name in late])
        if owner.has_written and (self.checkpoint is None or self.replaces):
            if plan.resume is None or self.replaces:
                refuse(self.folder.path, owner.foreign())
                owner = owner.replace()
            else:
                owner.remove_written()
        if inputs:
            owner.inputs = inputs
            owner.save()
        make_empty_file(self.folder.path, self.folder.metrics.name)
        if self.checkpoint is not None:
            self.folder.rewind_metrics(step_of(self.checkpoint))
        self.folder.write_config(plan)


def decide_resume(plan: Plan, folder: RunFolder) -> ResumeDecision:
    """Decide by the folder's content, `--resume` and OVERWRITE_OUTPUT_DIR.

    Raises:
        InputError: the folder holds a run that must not be touched, or the resume does not fit it.
    """
    finished = folder.finished()
    overwrite = plan.run.overwrite_output_dir
    owner = Ownership.of(folder.path)
    if overwrite and plan.resume is None and owner.has_written:
        refuse(folder.path, owner.foreign())
        _refuse_read_only(folder, owner)
    inputs = {} if finished and plan.resume == "auto" else digest_inputs(plan)
    if plan.resume is None:
        if finished and not overwrite:
            raise InputError(
                f"OUTPUT_DIR {folder.path} holds a finished run ({finished.method}, {finished.task}). "
                "Give another OUTPUT_DIR, or --set OVERWRITE_OUTPUT_DIR=true to replace it."
            )
        if folder.started() and not finished and not overwrite:
            raise InputError(
                f"OUTPUT_DIR {folder.path} holds an unfinished run. "
                "Go on with it (--resume), or replace it (--set OVERWRITE_OUTPUT_DIR=true)."
            )
        return ResumeDecision(folder=folder, inputs=inputs)
    if plan.resume == "auto":
        if finished:
            log.info("%s holds a finished run of this config: nothing to train.", folder.path)
            return ResumeDecision(folder=folder, finished=finished)
        if not folder.started():
            log.warning("nothing to resume in %s: the run starts from the beginning.", folder.path)
            return ResumeDecision(folder=folder, inputs=inputs)
        _refuse_other_arithmetic(plan, folder)
        checkpoint = newest_complete(folder.checkpoints)
        if checkpoint is None:
            log.warning("no complete checkpoint in %s: the run starts from the beginning.", folder.checkpoints)
            return ResumeDecision(folder=folder, inputs=inputs)
        refuse_changes(plan, _changes(owner, checkpoint, inputs, runs={owner.run}))
    else:
        checkpoint = Path(plan.resume).expanduser().absolute()
        if not checkpoint.is_dir():
            raise InputError(
                f"RESUME_FROM_CHECKPOINT: {checkpoint} is not a directory."
                " Give a checkpoint's folder, or leave the key out."
            )
        step_of(checkpoint)
        if reason := fault(checkpoint):
            raise InputError(
                f"RESUME_FROM_CHECKPOINT: {checkpoint} cannot be used: {reason}."
                " Give another checkpoint, or leave the key out."
            )
        origin = RunFolder(checkpoint.parent.parent)
        if finished:
            _refuse_replacement(folder, checkpoint, overwrite=overwrite)
            refuse(folder.path, owner.foreign())
        fresh = finished is not None or not folder.started()
        for held in (origin,) if fresh else (folder, origin):
            if held.started():
                _refuse_other_arithmetic(plan, held)
        first = Ownership.of(origin.path)
        # A folder without a run may continue any run whose config was compared.
        known = {owner.run, first.run} if fresh and origin.started() else {owner.run}
        refuse_changes(plan, _changes(first, checkpoint, inputs, runs=known))
    require_plain_metadata(checkpoint)
    _refuse_read_only(folder, owner)
    log.info("resuming from %s (step %d)", checkpoint, step_of(checkpoint))
    if finished:
        return ResumeDecision(folder=folder, checkpoint=checkpoint, inputs=inputs, replaces=True)
    _refuse_unreadable(folder)
    refuse(folder.path, owner.foreign(*_WRITTEN_LAST, folder.evaluation.name))
    return ResumeDecision(folder=folder, checkpoint=checkpoint, before=folder.stored_before(), inputs=inputs)


@contextmanager
def entered(plan: Plan, folder: RunFolder) -> Iterator[None]:
    """Take a locked folder: put back what a killed run was to replace, and list the log as the run's.

    Raises:
        InputError: the folder has files of our names that no run wrote, or is part of the data or the base model.
    """
    try:
        owner = Ownership.of(folder.path)
        owner.settle()
        take_back(owner)
        if owner.moving:
            owner = owner.restore()
        if plan.resume is None:
            owner = _give_back(folder)
        if folder.result.exists():
            owner.discard_replaced()
        refuse(folder.path, owner.unclaimed())
        make_empty_file(folder.path, LOG)
        claim(folder.path, CHECKPOINTS)  # transformers makes the folder as soon as it has its arguments.
    except OSError as error:
        raise InputError(
            f"OUTPUT_DIR {folder.path} cannot be written to: {error.filename or ''} {error.strerror or error}."
            " (Make it writable, or give another OUTPUT_DIR.)"
        ) from None
    yield


@contextmanager
def restoring(folder: RunFolder) -> Iterator[None]:
    """Put back the run that this one was to replace, where the block fails before a checkpoint is complete."""
    try:
        yield
    except BaseException:
        with suppress(OSError, InputError):  # The run's own error is the one to show.
            _give_back(folder)
        raise


def _give_back(folder: RunFolder) -> Ownership:
    """Put back the run that an unfinished one was to replace, unless that one can be resumed; return the record."""
    owner = Ownership.of(folder.path)
    if owner.earlier is None or folder.result.exists():
        return owner
    if newest_complete(folder.checkpoints) is None:
        log.info("the run that was to be replaced in %s is put back.", folder.path)
        return owner.restore()
    log.info("the run that is replaced is kept in %s until this one has finished.", owner.aside)
    return owner


def _changes(first: Ownership, checkpoint: Path, inputs: Digests, *, runs: set[str]) -> list[str]:
    """Return how a resume differs from the run that wrote its checkpoint.

    Args:
        first: the record of the folder that the checkpoint is in.
        checkpoint: the checkpoint.
        inputs: digests of the resume's data and base.
        runs: ids of the runs whose checkpoints may be used.
    """
    changed = changed_inputs(first.inputs, inputs) if first.inputs else []
    if run_of(checkpoint) not in runs:
        return [f"{checkpoint} is of another run", *(f"{name} differs" for name in changed)]
    return [f"{name} has changed" for name in changed]


def _refuse_unreadable(folder: RunFolder) -> None:
    """Raise InputError where a file that the end of the run reads is broken."""
    try:
        held = json.loads(folder.evaluation.read_text(encoding="utf-8"))
        if not isinstance(held, dict) or not all(isinstance(item, dict) for item in held.values()):
            raise ValueError("it is not a record of evaluations")
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder.evaluation} cannot be read ({error}). Restore it, or delete it: the report then has no samples "
            "from before training."
        ) from None


def _refuse_read_only(folder: RunFolder, owner: Ownership) -> None:
    for name in owner.written:
        path = folder.path / name
        if name != LOG and path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
            raise InputError(f"{path} cannot be written to. Make it writable, or give another OUTPUT_DIR.")
        if name in _WRITTEN_LAST and os.path.ismount(path):
            raise InputError(f"{path} is a mount point, which cannot be replaced. Give another OUTPUT_DIR.")


def _refuse_replacement(folder: RunFolder, checkpoint: Path, *, overwrite: bool) -> None:
    """Raise InputError where a resume from a named checkpoint must not replace the finished run of its folder."""
    if checkpoint.resolve().is_relative_to(folder.path.resolve()):
        raise InputError(
            f"RESUME_FROM_CHECKPOINT: {checkpoint} is of the finished run in OUTPUT_DIR, which would be replaced. "
            "Give another OUTPUT_DIR: the checkpoint is read where it is."
        )
    if not overwrite:
        raise InputError(
            f"OUTPUT_DIR {folder.path} holds a finished run. Give another OUTPUT_DIR, or --set "
            "OVERWRITE_OUTPUT_DIR=true to replace it by one that goes on from RESUME_FROM_CHECKPOINT."
        )


def _refuse_other_arithmetic(plan: Plan, folder: RunFolder) -> None:
    if any(name == folder.config.name for name in Ownership.of(folder.path).changed()):
        raise InputError(
            f"{folder.config} has changed since the run wrote it. Restore it, or start again in another OUTPUT_DIR."
        )
    if differing := differing_keys(folder.stored_keys(), plan):
        raise InputError(
            f"the run in {folder.path} cannot be resumed with other values of {'; '.join(differing[:5])}. "
            "Give the same values, or another OUTPUT_DIR."
        )
