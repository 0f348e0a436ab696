"""The preparation of a method whose start is computed once it is attached (`SupportsPreparation`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.capabilities import SupportsPreparation, SupportsTrainingBatches
from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.errors import InputError
from adapt_core.execution.components import Components

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)


def prepare_method(plan: Plan, components: Components, base: nn.Module, attached: nn.Module, data: TaskData) -> None:
    """Let a method compute its start; nothing happens where it has none to compute, or where the run does not train.

    Args:
        plan: of the run.
        components: of the plan.
        base: the base model, which the method attached to in place.
        attached: the model to train.
        data: of the run.

    Raises:
        InputError: the start needs batches that the task does not give, or does not suit the model.
    """
    method = components.method
    if not isinstance(method, SupportsPreparation) or not plan.training.do_train:
        return
    rows = method.preparation_rows()
    if rows is None:
        return
    batches: Sequence[Mapping[str, Any]] = ()
    if rows:
        if not isinstance(components.task, SupportsTrainingBatches):
            raise InputError(
                f"method {plan.method.name}: this start is computed from training data, which {plan.task.name} does "
                "not give as inputs of its model. Choose a start that needs no data (see the method's parameters)."
            )
        batches = components.task.training_batches(base, data, rows)
        log.info("method %s looks at %d batches of the training data for its start", plan.method.name, len(batches))
    method.prepare(attached, batches)
