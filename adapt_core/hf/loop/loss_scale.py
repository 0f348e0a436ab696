"""The declaration that a model divides its loss by the items of a complete accumulated batch."""

from __future__ import annotations

import inspect
import re
from typing import Any

_PASSED_ON = re.compile(r"loss_function\([^()]*(?:\([^()]*\)[^()]*)*\*\*")


def declare_loss_scaling(model: Any) -> None:
    """Marks a model whose loss is a plain mean over each batch (`accepts_loss_kwargs = False`).

    transformers' Trainer takes any model whose `forward` has `**kwargs` for one that divides by `num_items_in_batch`.
    Most that compute their loss by themselves (BERT's classifiers, T5, BART, ...) ignore that number, and their
    gradients would come out multiplied by GRADIENT_ACCUMULATION_STEPS and by the number of processes. The models that
    do use it hand their `**kwargs` to `self.loss_function`. A model that says so itself is believed.

    Args:
        model: the attached model; one in a peft wrapper is looked at inside.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if hasattr(base, "accepts_loss_kwargs") or not hasattr(base, "forward"):
        return
    try:
        source = inspect.getsource(inspect.unwrap(type(base).forward))
    except (OSError, TypeError):  # a class made at run time: the Trainer's own guess stands
        return
    if not _PASSED_ON.search(source):
        base.accepts_loss_kwargs = False
