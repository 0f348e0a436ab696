"""GRADIENT_CHECKPOINTING: the stages of a backbone keep no activations, and recompute them in the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch.utils.checkpoint
from torch import nn

from adapt_core.errors import InputError

if TYPE_CHECKING:
    from mmengine.model import BaseModel


@contextmanager
def checkpointed_activations(model: BaseModel, *, enabled: bool) -> Iterator[None]:
    """Recompute the activations of the stages of `model.backbone` within a context, if enabled.

    A BatchNorm that trains updates its statistics twice a step, as in any network with recomputed activations.

    Raises:
        InputError: the backbone has no stages (outermost nn.Sequential modules).
    """
    if not enabled:
        yield
        return
    stages = list(_stages(model.backbone))
    if not stages:
        raise InputError(
            f"GRADIENT_CHECKPOINTING: {type(model.backbone).__name__} has no stages to recompute. Set it to false."
        )
    for stage in stages:
        vars(stage)["forward"] = partial(torch.utils.checkpoint.checkpoint, stage.forward, use_reentrant=False)
    try:
        yield
    finally:
        for stage in stages:
            del vars(stage)["forward"]


def _stages(module: nn.Module) -> Iterator[nn.Sequential]:
    for child in module.children():
        if isinstance(child, nn.Sequential):
            yield child
        else:
            yield from _stages(child)
