"""A method attached, and its start computed where it has one to compute (`SupportsPreparation`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.capabilities import SupportsPreparation, SupportsTrainingBatches
from adapt_core.config.continuation import adapter_of
from adapt_core.config.plan import Plan
from adapt_core.contracts import AttachContext, LoadedModel, TaskData
from adapt_core.errors import InputError
from adapt_core.execution.components import Components
from adapt_core.nn.learning_rates import rate_factors
from adapt_core.nn.parameters import count_parameters

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)


@attrs.frozen
class Attached:
    """A model to train.

    Attributes:
        model: the module.
        context: that the method got.
        rate_factors: see `Job.rate_factors`.
    """

    model: nn.Module
    context: AttachContext
    rate_factors: Mapping[str, float]


def attach_prepared(plan: Plan, components: Components, loaded: LoadedModel, data: TaskData) -> Attached:
    """Attach the method of a plan to a loaded base model, let it compute its start, and find the learning rates.

    Raises:
        InputError: the method cannot serve this model, its start not these data, or there is nothing that HEAD_LR or
            LAYER_LR_DECAY would change.
    """
    by_depth = plan.training.head_lr is not None or plan.training.layer_lr_decay is not None
    from adapt_core.nn.structure import blocks  # it imports torch

    names = blocks(loaded.model, components.task.head(loaded.model)) if by_depth else []
    repeated = [loaded.model.get_submodule(name) for name in names]
    model, context = components.attach(plan, loaded)
    counts = count_parameters(model)
    numbers = (f"{counts.trainable:,}", f"{counts.total:,}", counts.share)
    log.info("method %s: %s of %s parameters train (%.3g %%)", plan.method.name, *numbers)
    prepare_method(plan, components, loaded.model, model, data)
    factors: Mapping[str, float] = {}
    if by_depth:
        # New parameters of the base are in that group too; an adapter puts something before and behind a name.
        trained = components.method.trainable_groups(model).get("head", ())
        in_head = [name for name in trained if any(f".{module}." in f".{name}" for module in context.head)]
        factors = rate_factors(model, repeated, in_head, plan.training)
    return Attached(model, context, factors)


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
