"""START_FROM in a process of a run: the adapter that goes on, and whether it knows the classes of the data."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.capabilities.preparation import SupportsContinuation
from adapt_core.config.continuation import adapter_of
from adapt_core.config.plan import Plan
from adapt_core.contracts import AttachContext, Method, TaskData
from adapt_core.errors import InputError, first_of
from adapt_core.execution.model_data import read_model_data

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

_NAMED = 5


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

    Raises:
        InputError: they are not; the message has the difference.
    """
    if plan.model.start_from is None or data.labels is None:
        return
    known = _classes(Path(plan.model.start_from).expanduser().absolute())
    if known is None or tuple(known) == tuple(data.labels):
        return
    new = [name for name in data.labels if name not in known]
    absent = [name for name in known if name not in data.labels]
    if new:
        said = f"the data has {_classes_in_words(new)} that the model of the run does not know"
    elif absent:
        said = f"the data lacks {_classes_in_words(absent)} of the model of the run"
    else:
        said = f"the classes of the data come in another order ({', '.join(data.labels)}; there {', '.join(known)})"
    raise InputError(f"START_FROM: {said}. Train on rows of the same classes, or start from the base model.")


def _classes(folder: Path) -> Sequence[str] | None:
    adapter = adapter_of(str(folder))
    kept = None if adapter is None else read_model_data(adapter)
    if kept is not None:
        return kept.labels
    try:
        config = json.loads((folder / "model" / "config.json").read_text(encoding="utf-8"))
        named = config.get("label_names") or [config["id2label"][str(n)] for n in range(len(config["id2label"]))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return [str(name) for name in named]


def _classes_in_words(names: Sequence[str]) -> str:
    return f"{len(names)} {'class' if len(names) == 1 else 'classes'} ({first_of(names, _NAMED)})"
