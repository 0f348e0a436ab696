"""Whether a run may use its folder: fresh, resumed, overwritten, finished already, or refused."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.result import RunResult
from adapt_core.run_folder.checkpoints import fault, newest_complete, step_of
from adapt_core.run_folder.paths import RunFolder, differing_keys

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class ResumeDecision:
    """How a run enters its folder.

    Attributes:
        folder: the run folder.
        checkpoint: where to go on from, or None to start at the beginning.
        before: the "before" metrics of the run that is resumed.
        finished: the result of a finished run that `--resume` met: there is nothing to do.
    """

    folder: RunFolder
    checkpoint: Path | None = None
    before: dict[str, float] | None = None
    finished: RunResult | None = None

    def to_data(self) -> dict[str, Any]:
        """Return the JSON-ready form of a decision to run, for worker processes."""
        return {"checkpoint": self.checkpoint and str(self.checkpoint), "before": self.before}

    @classmethod
    def from_data(cls, data: Mapping[str, Any], folder: RunFolder) -> ResumeDecision:
        """Return the decision that `to_data` wrote, for a run folder."""
        checkpoint = data["checkpoint"]
        return cls(folder=folder, checkpoint=Path(checkpoint) if checkpoint else None, before=data["before"])

    def begin(self, plan: Plan) -> None:
        """Called once data and model are loaded: from here on the folder is this run's.

        Deletes an earlier run where this one takes its place, and writes `config.yaml`.
        """
        if self.checkpoint is not None:
            self.folder.rewind_metrics(step_of(self.checkpoint))
        else:
            self.folder.clear()
            self.folder.metrics.touch()
        self.folder.write_config(plan)


def decide_resume(plan: Plan, folder: RunFolder) -> ResumeDecision:
    """Decide by the folder's content, `--resume` and OVERWRITE_OUTPUT_DIR.

    Raises:
        InputError: the folder holds a run that must not be touched, or the resume does not fit it.
    """
    finished = folder.finished()
    overwrite = plan.run.overwrite_output_dir
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
        return ResumeDecision(folder=folder)
    if plan.resume == "auto":
        if finished:
            log.info("%s holds a finished run of this config: nothing to do.", folder.path)
            return ResumeDecision(folder=folder, finished=finished)
        if not folder.started():
            log.warning("nothing to resume in %s: the run starts from the beginning.", folder.path)
            return ResumeDecision(folder=folder)
        _refuse_other_arithmetic(plan, folder)
        checkpoint = newest_complete(folder.checkpoints)
        if checkpoint is None:
            log.warning("no complete checkpoint in %s: the run starts from the beginning.", folder.checkpoints)
            return ResumeDecision(folder=folder)
    else:
        checkpoint = Path(plan.resume).expanduser().absolute()
        if not checkpoint.is_dir():
            raise InputError(f"RESUME_FROM_CHECKPOINT: {checkpoint} is not a directory.")
        step_of(checkpoint)
        reason = fault(checkpoint)
        if reason:
            raise InputError(f"RESUME_FROM_CHECKPOINT: {checkpoint} cannot be used: {reason}.")
        if folder.started():
            _refuse_other_arithmetic(plan, folder)
    log.info("resuming from %s (step %d)", checkpoint, step_of(checkpoint))
    return ResumeDecision(folder=folder, checkpoint=checkpoint, before=folder.stored_before())


def _refuse_other_arithmetic(plan: Plan, folder: RunFolder) -> None:
    differing = differing_keys(folder.stored_keys(), plan)
    if differing:
        raise InputError(
            f"the run in {folder.path} cannot be resumed with other values of {'; '.join(differing[:5])}. "
            "Give the same values, or another OUTPUT_DIR."
        )
