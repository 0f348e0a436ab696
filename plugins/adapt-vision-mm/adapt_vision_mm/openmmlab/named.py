"""An optimizer and a schedule that the config names by dotted names, in mmengine's Runner."""

from __future__ import annotations

from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler import _ParamScheduler
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS
from torch.optim import Optimizer

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.nn.named.optimizers import named_optimizer
from adapt_core.nn.named.schedules import NamedSchedule, factor_at


def registered_optimizer(training: TrainingParams, lr: float) -> dict[str, Any]:
    """Return mmengine's config of the optimizer that OPTIMIZER names, whose class it can find from here on.

    Args:
        training: OPTIMIZER, OPTIMIZER_OPTIONS, WEIGHT_DECAY.
        lr: the learning rate.
    """
    options = training.optimizer_options or {}
    made, arguments = named_optimizer(training.optimizer, lr, training.weight_decay, options)
    name = "".join(sign if sign.isalnum() else "_" for sign in training.optimizer)
    OPTIMIZERS.register_module(name=name, module=made, force=True)
    return {"type": name, **arguments}


@PARAM_SCHEDULERS.register_module()
class NamedLR(LRSchedulerMixin, _ParamScheduler):
    """The schedule that SCHEDULER_TYPE names, as factors of the first learning rates.

    Args:
        optimizer: or its wrapper.
        schedule: SCHEDULER_TYPE.
        options: SCHEDULER_OPTIONS.
        lr: LR, that a schedule may ask for.
        steps: of the run.
        settings: mmengine's own, such as `by_epoch`.
    """

    def __init__(
        self,
        optimizer: OptimWrapper | Optimizer,
        schedule: str,
        options: dict[str, Any],
        lr: float,
        steps: int,
        **settings: bool | int,
    ) -> None:
        self._factors = NamedSchedule(schedule, dict(options), lr).factors(steps)
        super().__init__(optimizer, **settings)

    def state_dict(self) -> dict[str, Any]:
        """Return the position, without the factors, which are made anew."""
        return {name: value for name, value in super().state_dict().items() if name != "_factors"}

    def _get_value(self) -> list[float]:
        factor = factor_at(self._factors, self.last_step)
        return [base * factor for base in self.base_values]
