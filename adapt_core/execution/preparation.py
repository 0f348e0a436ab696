"""A method attached, and its start computed where it has one to compute (`SupportsPreparation`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.capabilities import SupportsPreparation, SupportsTrainingBatches
from adapt_core.config.continuation import adapter_of
from adapt_core.config.plan import Plan
from adapt_core.contracts import AttachContext, LoadedModel, TaskData
from adapt_core.errors import InputError
from adapt_core.execution.components import Components
from adapt_core.nn.parameters import count_parameters

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)


def attach_prepared(
    plan: Plan, components: Components, loaded: LoadedModel, data: TaskData
) -> tuple[nn.Module, AttachContext]:
    """Attach the method of a plan to a loaded base model, and let it compute its start.

    Returns:
        the model to train, and the context that the method got.

    Raises:
        InputError: the method cannot serve this model, or its start not these data.
    """
    model, context = components.attach(plan, loaded)
    counts = count_parameters(model)
    numbers = (f"{counts.trainable:,}", f"{counts.total:,}", counts.share)
    log.info("method %s: %s of %s parameters train (%.3g %%)", plan.method.name, *numbers)
    prepare_method(plan, components, loaded.model, model, data)
    return model, context


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
    if not isinstance(method, SupportsPreparation) or not plan.training.do_train or adapter_of(plan.model.start_from):
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
