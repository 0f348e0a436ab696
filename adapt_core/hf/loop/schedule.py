"""What a learning rate schedule does that its author may not expect."""

from __future__ import annotations

import logging
import math

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.config.fitting import unfit
from adapt_core.config.plan import Plan
from adapt_core.runtime.recorder import MetricRecorder

_NO_WARM_UP = "constant"

log = logging.getLogger(__name__)


def surprises(training: TrainingParams, steps: int) -> list[str]:
    """Return what to tell of the warm-up: that it has no effect, or that the run ends before it does.

    The rate of step k (the first is 0) of a warm-up of n steps is k / n of LR, so that LR is reached at step n.

    Args:
        training: WARMUP_ITERS, WARMUP_RATIO, SCHEDULER_TYPE.
        steps: optimizer steps of the run.
    """
    if not training.warmup_iters and not training.warmup_ratio:
        return []
    iters = training.warmup_iters
    key, lasting = ("WARMUP_ITERS", iters) if iters else ("WARMUP_RATIO", math.ceil(steps * training.warmup_ratio))
    if training.scheduler_type == _NO_WARM_UP:
        return [f"SCHEDULER_TYPE: constant has no warm-up, so {key} is without effect. Choose constant_with_warmup."]
    if lasting < steps:
        return []
    most = (steps - 1) / lasting
    return [
        f"{key}: the learning rate warms up for {lasting} steps, and the run has {steps}: it ends at {most:.2g} of LR. "
        f"Lower {key}."
    ]


class ScheduleCallback(TrainerCallback):
    """Warns of the surprises of a run's schedule when the number of its steps is known.

    Args:
        plan: with its schedule.
        recorder: warns.
    """

    def __init__(self, plan: Plan, recorder: MetricRecorder) -> None:
        self._plan = plan
        self._recorder = recorder

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._recorder.warn(surprises(self._plan.training, state.max_steps))
        for warning in unfit(self._plan, state.max_steps):
            log.warning(warning)
