"""An optimizer and a schedule that the config names by dotted names, in transformers' Trainer."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.nn.named.optimizers import named_optimizer
from adapt_core.nn.named.schedules import NamedSchedule, factor_at
from adapt_core.plugin.import_strings import is_import_string


def use_named(trainer: Any, training: TrainingParams) -> None:
    """Let a Trainer make the optimizer and the schedule that the config names; nothing where it names neither.

    Args:
        trainer: of the job, which has made neither yet.
        training: OPTIMIZER, SCHEDULER_TYPE and their options.
    """
    if is_import_string(training.optimizer):
        options = training.optimizer_options or {}
        made, arguments = named_optimizer(training.optimizer, training.lr, training.weight_decay, options)
        trainer.get_optimizer_cls_and_kwargs = lambda args, model=None: (made, dict(arguments))
    if is_import_string(training.scheduler_type):
        schedule = NamedSchedule(training.scheduler_type, training.scheduler_options or {}, training.lr)
        trainer.create_scheduler = _scheduler_of(trainer, schedule)


def _scheduler_of(trainer: Any, schedule: NamedSchedule) -> Any:
    def create(num_training_steps: int, optimizer: Optimizer | None = None) -> LRScheduler:
        if trainer.lr_scheduler is None:
            factors = schedule.factors(num_training_steps, trainer.args.get_warmup_steps(num_training_steps))
            chosen = trainer.optimizer if optimizer is None else optimizer
            trainer.lr_scheduler = LambdaLR(chosen, lambda step: factor_at(factors, step))
            trainer._created_lr_scheduler = True
        made: LRScheduler = trainer.lr_scheduler
        return made

    return create
