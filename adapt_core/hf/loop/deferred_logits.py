"""Logits that are computed only where something needs them, so that a loss can be computed without them.

A language model ends with `logits = head(hidden)`, maybe elementwise steps, and a cross-entropy with the labels. Within
`deferred_logits` its head returns a tensor that remembers what it would be computed from: torch's `cross_entropy` of it
is `chunked_loss`, of the labelled positions alone, and any other use computes the logits as the model would have. So
the families of models (tied heads, scaled or capped logits, encoder-decoders) need not be known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import attrs
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.functional import cross_entropy

from adapt_core.hf.loop.chunked_loss import Head, loss_sum, position_scores

_METADATA = frozenset({"shape", "dtype", "device", "layout", "ndim", "requires_grad", "is_leaf", "grad_fn", "is_cuda"})
_ELEMENTWISE = frozenset({"mul", "div", "true_divide", "add", "tanh", "float", "double", "half", "bfloat16", "to"})
_OF_SHAPE = frozenset({"size", "dim", "numel", "is_floating_point", "is_complex"})
_KEEP_VALUES = frozenset({"view", "reshape", "contiguous", "detach", "clone"})
_CROSS_ENTROPY = inspect.signature(cross_entropy)


@contextmanager
def deferred_logits(layer: nn.Module | None) -> Iterator[None]:
    """Within the context, an output layer returns `DeferredLogits`; with hooks, which expect logits, it does not.

    Args:
        layer: what `deferrable_head` returned.
    """
    if layer is None or "forward" in vars(layer) or layer._forward_hooks or layer._forward_pre_hooks:
        yield
        return
    vars(layer)["forward"] = partial(_defer, layer, layer.forward)
    try:
        yield
    finally:
        del vars(layer)["forward"]


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


def _defer(layer: Any, forward: Callable[[torch.Tensor], torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    if hidden.dim() < 3 or hidden.shape[-2] == 1:  # One position: a step of `generate`.
        return forward(hidden)
    return DeferredLogits(hidden, Head(layer, forward, layer.out_features), hidden.dtype, [])


@attrs.frozen
class _Scored:
    """What a loss without gradients found of each position, for metrics of the same targets."""

    targets: torch.Tensor
    losses: torch.Tensor
    hits: torch.Tensor


class DeferredLogits(torch.Tensor):
    """Logits (..., vocabulary) that are not computed.

    Args:
        hidden: float tensor (..., width), what the output layer got.
        head: makes logits of it.
        dtype: of the logits.
        scored: shared by all that is made of one output of the layer.
    """

    hidden: torch.Tensor
    head: Head
    scored: list[_Scored]
    _computed: torch.Tensor | None

    @staticmethod
    def __new__(cls, hidden: torch.Tensor, head: Head, dtype: torch.dtype, scored: list[_Scored]) -> Self:
        """Make the tensor, which has a shape and a type and no storage."""
        shape = (*hidden.shape[:-1], head.vocabulary)
        made: Self = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=hidden.device)
        made.hidden, made.head, made.scored, made._computed = hidden, head, scored, None
        return made

    @property
    def is_deferred(self) -> bool:
        """Whether the logits are not computed yet."""
        return self._computed is None

    def compute(self) -> torch.Tensor:
        """Return the logits, once computed."""
        if self._computed is None:
            self._computed = self.head.forward(self.hidden)
            for step in self.head.steps:
                self._computed = step(self._computed)
        return self._computed

    def scores(self, targets: torch.Tensor, ignored: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the cross-entropy of each position (float), and whether its largest logit is its target's (bool).

        Without gradients. What a loss of the same targets found is taken from there.

        Args:
            targets: int64 tensor, as many as there are positions.
            ignored: the target of positions that do not count; their loss is 0.
        """
        flat = targets.reshape(-1)
        for known in self.scored:
            if torch.equal(known.targets, flat):
                return known.losses, known.hits
        counted = flat.ne(ignored)
        losses, hits = position_scores(
            self.hidden.reshape(-1, self.hidden.shape[-1])[counted], flat[counted], self.head
        )
        all_losses = losses.new_zeros(flat.shape).masked_scatter_(counted, losses)
        all_hits = torch.zeros_like(counted).masked_scatter_(counted, hits)
        self.scored.append(_Scored(flat, all_losses, all_hits))
        return all_losses, all_hits

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Remember what keeps logits deferred, and compute them for the rest."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _OF_SHAPE or (name == "__get__" and func.__self__.__name__ in _METADATA):
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        made = None
        if func is cross_entropy:
            made = _loss(args, kwargs)
        elif name in _ELEMENTWISE:
            made = _elementwise(func, args, kwargs)
        elif name in _KEEP_VALUES or name == "__getitem__":
            made = _moved(func, name, args, kwargs)
        if made is not None:
            return made
        return func(*(_value(given) for given in args), **{key: _value(given) for key, given in kwargs.items()})

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: object, **__: object) -> Any:  # type: ignore[override]
        """Refuse what reaches torch without having been computed.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"{func} got logits that are not computed")


def _value(given: Any) -> Any:
    if isinstance(given, DeferredLogits):
        return given.compute()
    if isinstance(given, list | tuple):
        return type(given)(_value(item) for item in given) if type(given) in (list, tuple) else given
    return given


def _elementwise(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> DeferredLogits | None:
    """Return logits that are changed one by one, or None where the function needs more than one logit at a time."""
    [logits, *more] = [given for given in args if isinstance(given, DeferredLogits)]
    if more or not logits.is_deferred or kwargs.get("out") is not None:
        return None
    others = [
        logits if given is logits else _by_word(given, logits) if isinstance(given, torch.Tensor) else given
        for given in args
    ]
    if any(given is None for given in others):
        return None

    def step(chunk: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = func(*(chunk if given is logits else given for given in others), **kwargs)
        return changed

    dtype = step(torch.empty((0, logits.head.vocabulary), dtype=logits.dtype, device=logits.device)).dtype
    head = attrs.evolve(logits.head, steps=(*logits.head.steps, step))
    return DeferredLogits(logits.hidden, head, dtype, logits.scored)


def _by_word(other: torch.Tensor, logits: DeferredLogits) -> torch.Tensor | None:
    """Return a tensor with one value for each word, or one for all; None for any other, and for one that trains."""
    words = other.shape[-1] if other.dim() else 1
    if other.numel() != words or words not in (1, logits.head.vocabulary) or other.requires_grad:
        return None
    return other.reshape(words) if other.dim() else other


def _moved(func: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> DeferredLogits | None:
    """Return logits of other positions or in another shape, or None where the words do not stay together."""
    logits = args[0]
    if not logits.is_deferred:
        return None
    hidden = logits.hidden
    if name == "__getitem__":
        if not _takes_all_words(args[1], logits.dim()):
            return None
        return DeferredLogits(hidden[args[1]], logits.head, logits.dtype, [])
    if name in ("view", "reshape"):
        shape = func(torch.empty(logits.shape, device="meta"), *args[1:], **kwargs).shape
        if not shape or shape[-1] != logits.head.vocabulary:
            return None
        hidden = hidden.reshape(*shape[:-1], hidden.shape[-1])
    elif name == "detach":
        hidden = hidden.detach()
    return DeferredLogits(hidden, logits.head, logits.dtype, logits.scored)


def _takes_all_words(index: Any, dimensions: int) -> bool:
    """Return whether an index leaves the last dimension as it is."""
    parts = index if isinstance(index, tuple) else (index,)
    if not all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts):
        return False
    if Ellipsis in parts:
        last = parts[-1]
        return last is Ellipsis or last == slice(None)
    named = [part for part in parts if part is not None]
    return len(named) < dimensions or named[-1] == slice(None)


def _loss(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> torch.Tensor | None:
    """Return torch's cross-entropy, or None where it is another than of labelled positions, each with one word.

    Args:
        args: of torch's `cross_entropy`.
        kwargs: likewise.
    """
    bound = _CROSS_ENTROPY.bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    logits, target = given.pop("input"), given.pop("target")
    ignore_index, reduction = given.pop("ignore_index"), given.pop("reduction")
    of_words = isinstance(logits, DeferredLogits) and logits.dim() == 2 and not target.is_floating_point()
    as_usual = all(value == _CROSS_ENTROPY.parameters[name].default for name, value in given.items())
    if not of_words or not as_usual or reduction not in ("mean", "sum") or not logits.is_deferred:
        return None
    count = target.ne(ignore_index).sum()
    if torch.is_grad_enabled():
        hidden, words = _labelled(logits.hidden, target, ignore_index)
        total = loss_sum(hidden, words, logits.head)
    else:
        total = logits.scores(target, ignore_index)[0].sum()
    return total / count if reduction == "mean" else total


def _labelled(hidden: torch.Tensor, target: torch.Tensor, ignored: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return hidden states and targets of the positions that have one; of all, where there are shapes and no values."""
    if isinstance(hidden, FakeTensor):
        return hidden, target
    [positions] = target.ne(ignored).nonzero(as_tuple=True)
    return (hidden, target) if len(positions) == len(target) else (hidden[positions], target[positions])


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
    for number, (row, wanted) in enumerate(zip(logits, targets, strict=True)):
        counted = wanted.ne(ignored)
        scores = row[counted].float()
        losses[number, counted] = cross_entropy(scores, wanted[counted], reduction="none")
        hits[number, counted] = scores.argmax(-1).eq(wanted[counted])
    return losses, hits
