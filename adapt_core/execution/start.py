"""START_FROM in a process of a run: the adapter that goes on, and whether it knows the classes of the data."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from adapt_core.capabilities.preparation import SupportsContinuation
from adapt_core.config.continuation import adapter_of
from adapt_core.config.plan import Plan
from adapt_core.contracts import AttachContext, Method, TaskData
from adapt_core.errors import InputError
from adapt_core.run_folder.known_classes import classes_in_words, require_known
from adapt_core.run_folder.model_data import of_start

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)


def attach_or_go_on(plan: Plan, method: Method, model: nn.Module, context: AttachContext) -> nn.Module:
    """Attach a method to a base model, with the adapter of START_FROM where there is one.

    Raises:
        InputError: as `Method.attach` does, or the method cannot go on from an adapter, or the adapter is for another
            model.
    """
    adapter = adapter_of(plan.model.start_from)
    if adapter is None:
        return method.attach(model, context)
    if not isinstance(method, SupportsContinuation):
        raise InputError(
            f"START_FROM: method {plan.method.name} cannot go on from an adapter. Merge it (adapt export "
            "--save-method save_pretrained), and give the merged model as MODEL_PATH."
        )
    log.info("START_FROM: the adapter in %s goes on", adapter)
    return method.go_on(model, context, adapter)


def before_training(plan: Plan, method: Method, model: nn.Module) -> AbstractContextManager[Any]:
    """Return the context of a model as it was before the run: the base with its new head, or START_FROM's adapter."""
    return nullcontext() if adapter_of(plan.model.start_from) else method.disable_adapter(model)


def require_known_classes(plan: Plan, data: TaskData) -> None:
    """Check that the classes of the data are those of the model that START_FROM names, in the same order.

    Tasks that number classes as that model does pass, whichever classes their rows have; numbers, and labels in columns
    of their own, are compared here.

    Raises:
        InputError: they are not; the message has the difference.
    """
    before = of_start(plan.model.start_from)
    if before is None or before.labels is None or data.labels is None or tuple(data.labels) == before.labels:
        return
    known = before.labels
    require_known(data.labels, known)
    absent = [name for name in known if name not in data.labels]
    if absent:
        said = f"the data lacks {classes_in_words(absent)} of the model of the run"
    else:
        said = f"the classes of the data come in another order ({', '.join(data.labels)}; there {', '.join(known)})"
    raise InputError(f"START_FROM: {said}. Give the data the same ones in that order, or start from the base model.")
