"""BUDGET in transformers' Trainer: the steps that fit, and a schedule that ends with them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from adapt_core.contracts import Job
from adapt_core.nn.parameters import count_parameters
from adapt_core.runtime.budget import Ahead, Budget

_BYTES = 4


class BudgetCallback(TrainerCallback):
    """Fits the steps of a run again after each of them.

    Args:
        job: whose budget is bounded.
    """

    def __init__(self, job: Job) -> None:
        self._job, self._budget = job, job.budget
        self._training = False

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._training = True
        schedule = kw["lr_scheduler"]
        pace(getattr(schedule, "scheduler", schedule), self._budget)
        batches = len(kw["train_dataloader"])
        state.max_steps = self._budget.begin(ahead_of(self._job, args, state, batches))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        state.max_steps = self._budget.stepped(state.global_step)
        self._job.recorder.reporter.expect(state.max_steps)
        if state.global_step < state.max_steps or control.should_training_stop:
            return
        # As the Trainer's own flow does at the last step, which it knew nothing of.
        control.should_training_stop = True
        control.should_evaluate = control.should_evaluate or args.eval_strategy == IntervalStrategy.STEPS
        control.should_save = control.should_save or args.save_strategy == SaveStrategy.STEPS

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if self._training:
            self._budget.paused()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._budget.paused()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._training = False


def ahead_of(job: Job, args: TrainingArguments, state: TrainerState, batches: int) -> Ahead:
    """Return what a Trainer has before it.

    Args:
        job: its work.
        args: with the strategy of evaluations, and the batches of a step.
        state: with the steps that the config asks for, and those done.
        batches: of an epoch, in this process.
    """
    training, data = job.plan.training, job.data
    accumulated = args.gradient_accumulation_steps
    rows = training.batch_size * accumulated * job.world.size
    epoch = max(1, math.ceil(batches / accumulated))
    each = {"epoch": float(epoch), "steps": float(training.interval_steps), "no": math.inf}[training.interval]
    evaluates = training.do_eval and data.validation is not None
    validation = len(data.validation) if evaluates else 0
    others = [*([data.test] if data.test is not None and training.do_eval else []), *data.further.values()]
    return Ahead(
        steps=state.max_steps,
        done=state.global_step,
        steps_each=each,
        evaluations=evaluates * (1 + training.soup_evaluations) + sum(map(len, others)) / max(validation, 1),
        rows_each=validation / rows,
        model_bytes=count_parameters(job.model).total * _BYTES,
    )


def pace(schedule: Any, budget: Budget) -> None:
    """Let a schedule end with the steps that the budget fits: a step stands where its share of them stands.

    A schedule without a function of the step (reduce_lr_on_plateau) goes on as it is.
    """

    def paced(of: Callable[[float], float]) -> Callable[[int], float]:
        return lambda step: of(budget.position(step))

    if hasattr(schedule, "lr_lambdas"):
        schedule.lr_lambdas = [paced(of) for of in schedule.lr_lambdas]


def fitted_steps(checkpoint: Path) -> int:
    """Return the steps that the run of a checkpoint has fitted."""
    steps: int = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["max_steps"]
    return steps
