"""BUDGET in mmengine's Runner: the steps that fit, and schedules that end with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from adapt_core.contracts import Job
from adapt_core.nn.parameters import count_parameters
from adapt_core.runtime.budget import Ahead

from adapt_vision_mm.openmmlab.progress import Progress

if TYPE_CHECKING:
    from mmengine.runner import Runner

_BYTES = 4


class Pacing:
    """Fits the steps of a run again after each of them. Without a bound it does nothing.

    Args:
        job: whose budget it is.
        progress: whose batches it cuts.
        steps: of the whole run, as the config says.
    """

    def __init__(self, job: Job, progress: Progress, steps: int) -> None:
        self._job, self._progress, self._steps = job, progress, steps
        self._rates: list[list[float]] = []

    def begin(self, runner: Runner) -> None:
        """Begin training, before a checkpoint's schedules are restored."""
        budget = self._job.budget
        if not budget.is_bounded:
            return
        self._rates = planned_rates(runner, self._steps)
        self._hold(runner, budget.begin(ahead_of(self._job, self._progress, self._steps)))

    def stepped(self, runner: Runner) -> None:
        """Fit the steps, and set the learning rate of the next one."""
        budget, progress = self._job.budget, self._progress
        if not budget.is_bounded:
            return
        self._hold(runner, budget.stepped(progress.step))
        at = min(round(budget.position(progress.step)), len(self._rates) - 1)
        for group, rate in zip(runner.optim_wrapper.optimizer.param_groups, self._rates[at], strict=True):
            group["lr"] = rate

    def paused(self) -> None:
        """Count the time since the last step as an evaluation, a checkpoint, or both."""
        self._job.budget.paused()

    def _hold(self, runner: Runner, steps: int) -> None:
        progress = self._progress
        if steps < self._steps:
            progress.total_batches = max(progress.batch, steps * progress.accumulation)
        runner.train_loop._max_iters = progress.total_batches
        self._job.recorder.reporter.expect(progress.total_steps)


def planned_rates(runner: Runner, steps: int) -> list[list[float]]:
    """Return the learning rates of each step, for each group of parameters, as the schedules make them."""
    groups = runner.optim_wrapper.optimizer.param_groups
    schedules = runner.param_schedulers or []
    states, first = [one.state_dict() for one in schedules], [group["lr"] for group in groups]
    rates = []
    for _ in range(steps):
        rates.append([float(group["lr"]) for group in groups])
        for one in schedules:
            one.step()
    for one, state in zip(schedules, states, strict=True):
        one.load_state_dict(state)
    for group, rate in zip(groups, first, strict=True):
        group["lr"] = rate
    return rates


def ahead_of(job: Job, progress: Progress, steps: int) -> Ahead:
    """Return what the loop has before it.

    Args:
        job: its work.
        progress: where it is.
        steps: of the whole run, as the config says.
    """
    training, data = job.plan.training, job.data
    rows = training.batch_size * progress.accumulation * job.world.size
    epoch = max(1.0, progress.batches_per_epoch / progress.accumulation)
    each = {"epoch": epoch, "steps": float(training.interval_steps), "no": math.inf}[training.interval]
    validation = len(data.validation) if training.do_eval and data.validation is not None else 0
    others = [*([data.test] if data.test is not None and training.do_eval else []), *data.further.values()]
    return Ahead(
        steps=steps,
        done=progress.step,
        steps_each=each,
        evaluations=bool(validation) * (1 + training.soup_evaluations) + sum(map(len, others)) / max(validation, 1),
        rows_each=validation / rows,
        model_bytes=count_parameters(job.model).total * _BYTES,
    )
