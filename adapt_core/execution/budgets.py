"""BUDGET of a run, and what it does without."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.config.data_places import path_of_data
from adapt_core.config.plan import Plan
from adapt_core.config.stop_after import budget_seconds
from adapt_core.runtime.budget import Budget, Pieces, least_of_all

if TYPE_CHECKING:
    from adapt_core.execution.pipeline import Run

log = logging.getLogger(__name__)

_FEW = 0.1
"""The share of the planned steps below which a budget was too small for them."""


def budget_of(run: Run) -> Budget:
    """Return the time that a run may take, since its command began, in one of its processes."""
    budget = Budget(budget_seconds(run.plan.training.budget), run.stop.since, _what_is_run(run.plan))
    if run.world.size > 1 and budget.is_bounded:
        budget.agree = least_of_all
    return budget


def cut_short(run: Run, steps: int) -> list[str]:
    """Log how many of the planned steps fitted, where not all did; return the warning that too few of them did."""
    planned = run.budget.planned_steps(steps)
    if not steps or planned <= steps:
        return []
    told = f"BUDGET {run.plan.training.budget}: {steps:,} of {planned:,} planned steps fitted"
    log.info("%s; the schedule ended with them.", told)
    return [f"{told}. Give more time, or fewer EPOCHS."] if steps < _FEW * planned else []


def pieces_of(plan: Plan) -> Pieces:
    """Return what the runs of this process have measured of what is not training, on a plan's data and model."""
    return Budget(of=_what_is_run(plan)).pieces


def _what_is_run(plan: Plan) -> str:
    model, data = plan.model, plan.data
    what = (
        *(plan.task.name, model.local_model_path or model.model_path, data.max_eval_samples),
        path_of_data(data) or data.dataset or data.train_dir,
    )
    return "|".join(map(str, what))


def evaluates_before(training: TrainingParams) -> bool:
    """Return whether a run evaluates the model before it trains."""
    return training.do_eval and (training.evaluate_before or not training.do_train)
