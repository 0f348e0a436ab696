"""Whether a model divides its loss by the items of an accumulated batch, declared where transformers looks for it."""

from __future__ import annotations

import inspect
import re

from torch import nn

_PASSED_ON = re.compile(r"loss_function\([^()]*(?:\([^()]*\)[^()]*)*\*\*")


def declare_loss_scaling(model: nn.Module) -> None:
    """Mark a model whose loss is a plain mean over each batch (`accepts_loss_kwargs = False`).

    transformers' Trainer takes any model whose `forward` has `**kwargs` for one that divides by `num_items_in_batch`.
    Most that compute their loss by themselves (BERT's classifiers, T5, BART, ...) ignore that number, and their
    gradients would come out multiplied by GRADIENT_ACCUMULATION_STEPS and by the number of processes. The models that
    do use it pass their `**kwargs` to `self.loss_function`. A model that declares it itself is left as it is.

    Args:
        model: the attached model, in a wrapper of peft or not.
    """
    base: nn.Module = getattr(model, "get_base_model", lambda: model)()
    if hasattr(base, "accepts_loss_kwargs") or not hasattr(base, "forward"):
        return
    try:
        source = inspect.getsource(inspect.unwrap(type(base).forward))
    except (OSError, TypeError):  # A class made at run time: the Trainer's own guess is kept.
        return
    if not _PASSED_ON.search(source):
        base.accepts_loss_kwargs = False  # type: ignore[assignment]
