"""Dropout of an adapter on the output layer, drawn once for a batch, so that its logits can be made by chunks.

peft's LoRA layers drop numbers of their input. Which ones is drawn as the layer would draw it, for the whole input, and
goes with the input from then on: as further columns, of which each position keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

Forward = Callable[..., torch.Tensor]


def own_dropout(layer: nn.Module) -> nn.Dropout | None:
    """Return the one dropout of the input of a LoRA layer of peft's, or None where there is none, or there are more."""
    by_adapter = getattr(layer, "lora_dropout", None)
    if not isinstance(by_adapter, nn.ModuleDict):
        return None
    drops = [part for part in by_adapter.values() if type(part) is nn.Dropout and part.p > 0 and not part.inplace]
    return drops[0] if len(drops) == 1 else None


def with_dropout_drawn(layer: nn.Module, forward: Forward, hidden: torch.Tensor) -> tuple[torch.Tensor, Forward]:
    """Return the input of an output layer and its forward function, so that parts of a batch drop what the whole does.

    Args:
        layer: the output layer.
        forward: its own forward function.
        hidden: float tensor (..., width), all of its input.

    Returns:
        where dropout is at work, float tensor (..., 2 x width), whose second half has 1 for what is kept, and a
        function of rows of it; else what was given.
    """
    drop = own_dropout(layer)
    is_off = getattr(layer, "disable_adapters", False) or getattr(layer, "merged", False)
    if drop is None or not drop.training or is_off:
        return hidden, forward
    # On a GPU the numbers drawn depend on the type, which is that of the adapter.
    dtype = next((part.dtype for part in layer.parameters() if part.requires_grad), hidden.dtype)
    kept = drop(torch.ones_like(hidden, dtype=dtype, requires_grad=False)).ne(0)
    both = torch.cat([hidden, kept.to(hidden.dtype)], -1)
    return both, partial(_dropped, forward, drop, hidden.shape[-1])


def _dropped(forward: Forward, drop: nn.Dropout, width: int, rows: torch.Tensor) -> torch.Tensor:
    hidden, kept = rows[..., :width], rows[..., width:].detach()
    vars(drop)["forward"] = lambda given: given * kept.to(given.dtype).div_(1 - drop.p)
    try:
        return forward(hidden)
    finally:
        del vars(drop)["forward"]
