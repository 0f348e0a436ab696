"""The output layer of a language model, whose logits can be deferred: in training and in evaluation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs
import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.functional import cross_entropy

from adapt_core.hf.loop.chunked_loss import Head
from adapt_core.hf.loop.deferred_logits import DeferredLogits
from adapt_core.hf.loop.head_dropout import own_dropout, with_dropout_drawn
from adapt_core.runtime.format import size

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class AllLogits:
    """Says once a run why the logits of whole batches are computed, and what they take."""

    _said: bool = False

    def because(self, reason: str, vocabulary: int | None = None) -> None:
        """Say it, unless something was said before.

        Args:
            reason: why, as a clause.
            vocabulary: logits of a token, where it is known.
        """
        if self._said:
            return
        each = "" if vocabulary is None else f" ({size(4 * vocabulary)} a token, and as much for the gradient)"
        log.info("CHUNKED_LOSS has no effect: %s; all logits of a batch are in memory at once%s.", reason, each)
        self._said = True


def deferrable_head(model: nn.Module, told: AllLogits | None = None) -> nn.Module | None:
    """Return the output layer of a language model, or None where there is none whose logits can be deferred.

    Args:
        model: the attached model, in a wrapper of peft or not.
        told: says so where a language model's cannot.
    """
    told = told or AllLogits(said=True)
    base: Any = getattr(model, "get_base_model", lambda: model)()
    find: Callable[[], nn.Module | None] = getattr(base, "get_output_embeddings", lambda: None)
    layer = find()
    if layer is None:
        if getattr(base, "can_generate", bool)():  # others, classifiers, have no logits of words
            told.because(f"{type(base).__name__} does not tell its output layer")
        return None
    vocabulary = getattr(layer, "out_features", None)
    if not isinstance(vocabulary, int):
        told.because(f"the output layer is a {type(layer).__name__}")
        return None
    drops = [part for part in layer.modules() if isinstance(part, nn.Dropout) and part.p > 0]
    if drops and drops != [own_dropout(layer)]:
        told.because("there is dropout in the output layer, which would be drawn by chunks", vocabulary)
        return None
    return layer


@contextmanager
def deferred_logits(layer: nn.Module | None, told: AllLogits | None = None) -> Iterator[None]:
    """Within the context, an output layer returns `DeferredLogits`.

    A layer with hooks does not, for they expect logits. Those by which FSDP gathers a sharded layer's weights do not,
    and the weights stay gathered until the backward pass, for what is computed of them behind the layer.

    Args:
        layer: what `deferrable_head` returned.
        told: says so where all logits are computed.
    """
    told = told or AllLogits(said=True)
    if layer is None:
        yield
        return
    if "forward" in vars(layer) or _has_hooks(layer):
        told.because("something else than the model hooks into the output layer", _words(layer))
        yield
        return
    if isinstance(layer, FSDPModule):
        layer.set_reshard_after_forward(False, recurse=False)
    vars(layer)["forward"] = partial(_defer, layer, layer.forward, told)
    try:
        yield
    finally:
        del vars(layer)["forward"]


def _words(layer: nn.Module) -> int:
    known: Any = layer
    return int(known.out_features)


def _has_hooks(layer: nn.Module) -> bool:
    of_fsdp = 1 if isinstance(layer, FSDPModule) else 0
    if layer._backward_hooks or layer._backward_pre_hooks:
        return True
    return max(len(layer._forward_hooks), len(layer._forward_pre_hooks)) > of_fsdp


def _defer(
    layer: Any, forward: Callable[..., torch.Tensor], told: AllLogits, *args: Any, **kwargs: Any
) -> torch.Tensor:
    """Return the logits of many positions deferred, those of one position (a step of `generate`) at once.

    In float16, gradients that are made before the loss is scaled would vanish.
    """
    hidden = args[0] if len(args) == 1 and not kwargs else None
    if hidden is None or hidden.dim() < 3 or hidden.shape[-2] == 1:
        return forward(*args, **kwargs)
    device = hidden.device.type
    autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    dtype = autocast or hidden.dtype
    tell = partial(told.because, vocabulary=_words(layer))
    if dtype == torch.float16:
        tell("in float16, gradients made before the loss is scaled would vanish")
        return forward(hidden)
    hidden, forward = with_dropout_drawn(layer, forward, hidden)
    head = Head(layer, forward, _words(layer), autocast, trains=torch.is_grad_enabled(), tell=tell)
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
