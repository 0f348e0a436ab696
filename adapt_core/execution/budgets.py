"""BUDGET of a run, and what it does without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.config.data_places import path_of_data
from adapt_core.config.stop_after import budget_seconds
from adapt_core.runtime.budget import Budget, least_of_all

if TYPE_CHECKING:
    from adapt_core.execution.pipeline import Run


def budget_of(run: Run) -> Budget:
    """Return the time that a run may take, since its command began, in one of its processes."""
    model, data, training = run.plan.model, run.plan.data, run.plan.training
    what = (
        run.plan.task.name,
        *(model.local_model_path or model.model_path, path_of_data(data) or data.dataset or data.train_dir),
        *(training.eval_batch_size or training.batch_size, data.max_eval_samples),
    )
    budget = Budget(budget_seconds(training.budget), run.stop.since, "|".join(map(str, what)))
    if run.world.size > 1 and budget.is_bounded:
        budget.agree = least_of_all
    return budget


def evaluates_before(training: TrainingParams) -> bool:
    """Return whether a run evaluates the model before it trains."""
    return training.do_eval and (training.evaluate_before or not training.do_train)
