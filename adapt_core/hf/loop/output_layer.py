"""The output layer of a language model, whose logits can be deferred: in training and in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.functional import cross_entropy

from adapt_core.hf.loop.chunked_loss import Head
from adapt_core.hf.loop.deferred_logits import DeferredLogits


def deferrable_head(model: nn.Module) -> nn.Module | None:
    """Return the output layer of a language model, or None where there is none whose logits can be deferred.

    Dropout inside it (of an adapter) would be drawn by chunks.

    Args:
        model: the attached model, in a wrapper of peft or not.
    """
    base: Any = getattr(model, "get_base_model", lambda: model)()
    find: Callable[[], nn.Module | None] = getattr(base, "get_output_embeddings", lambda: None)
    layer = find()
    if layer is None or not isinstance(getattr(layer, "out_features", None), int):
        return None
    drops = any(isinstance(part, nn.Dropout) and part.p > 0 for part in layer.modules())
    return None if drops else layer


@contextmanager
def deferred_logits(layer: nn.Module | None) -> Iterator[None]:
    """Within the context, an output layer returns `DeferredLogits`.

    A layer with hooks does not, for they expect logits. Those by which FSDP gathers a sharded layer's weights do not,
    and the weights stay gathered until the backward pass, for what is computed of them behind the layer.

    Args:
        layer: what `deferrable_head` returned.
    """
    if layer is None or "forward" in vars(layer) or _has_hooks(layer):
        yield
        return
    if isinstance(layer, FSDPModule):
        layer.set_reshard_after_forward(False, recurse=False)
    vars(layer)["forward"] = partial(_defer, layer, layer.forward)
    try:
        yield
    finally:
        del vars(layer)["forward"]


def _has_hooks(layer: nn.Module) -> bool:
    of_fsdp = 1 if isinstance(layer, FSDPModule) else 0
    if layer._backward_hooks or layer._backward_pre_hooks:
        return True
    return max(len(layer._forward_hooks), len(layer._forward_pre_hooks)) > of_fsdp


def _defer(layer: Any, forward: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> torch.Tensor:
    """Return the logits of many positions deferred, those of one position (a step of `generate`) at once.

    In float16, gradients that are made before the loss is scaled would vanish.
    """
    hidden = args[0] if len(args) == 1 and not kwargs else None
    if hidden is None or hidden.dim() < 3 or hidden.shape[-2] == 1:
        return forward(*args, **kwargs)
    device = hidden.device.type
    autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    dtype = autocast or hidden.dtype
    if dtype == torch.float16:
        return forward(hidden)
    head = Head(layer, forward, layer.out_features, autocast, trains=torch.is_grad_enabled())
    return DeferredLogits(hidden, head, dtype, [])


def label_scores(logits: torch.Tensor, targets: torch.Tensor, ignored: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross-entropy of each target, and whether its logit is the largest: float (rows, length) and bool.

    Without gradients, and of deferred logits without all of them at a time.

    Args:
        logits: float tensor (rows, length, vocabulary), deferred or not.
        targets: int64 tensor (rows, length).
        ignored: the target of positions that do not count; their loss is 0, and they are no hits.
    """
    if isinstance(logits, DeferredLogits) and logits.is_deferred:
        losses, hits = logits.scores(targets, ignored)
        return losses.view(targets.shape), hits.view(targets.shape)
    losses = torch.zeros(targets.shape, device=logits.device)
    hits = torch.zeros(targets.shape, dtype=torch.bool, device=logits.device)
    for number, (row, wanted) in enumerate(zip(logits.detach(), targets, strict=True)):
        counted = wanted.ne(ignored)
        scores = row[counted].float()
        losses[number, counted] = cross_entropy(scores, wanted[counted], reduction="none")
        hits[number, counted] = scores.argmax(-1).eq(wanted[counted])
    return losses, hits
