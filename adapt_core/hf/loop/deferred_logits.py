"""Logits that are computed only where something needs them, so that a loss can be computed without them.

A language model ends with `logits = head(hidden)`, maybe elementwise steps, and a cross-entropy with the labels.
`DeferredLogits` remember what they would be computed from: torch's `cross_entropy` of them is `chunked_loss`, of the
labelled positions alone, and any other use computes the logits as the model would have. So the families of models (tied
heads, scaled or capped logits, encoder-decoders) need not be known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Self

import attrs
import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.functional import cross_entropy

from adapt_core.hf.loop.chunked_loss import Head, loss_sum, position_scores

_METADATA = frozenset({"shape", "dtype", "device", "layout", "ndim", "requires_grad", "is_leaf", "grad_fn", "is_cuda"})
_OF_SHAPE = frozenset({"size", "dim", "numel", "is_floating_point", "is_complex"})
_CASTS = frozenset({"float", "double", "half", "bfloat16", "to"})
_COMMUTATIVE = frozenset({"mul", "add"})
_ELEMENTWISE = frozenset({"mul", "add", "div", "true_divide", "tanh", *_CASTS})
_KEEP_VALUES = frozenset({"view", "reshape", "contiguous", "detach", "clone"})
_CROSS_ENTROPY = inspect.signature(cross_entropy)


@attrs.frozen
class _Scored:
    """What a loss without gradients found of each position, for metrics of the same targets."""

    targets: torch.Tensor
    ignored: int
    losses: torch.Tensor
    hits: torch.Tensor


class DeferredLogits(torch.Tensor):
    """Logits (..., vocabulary) that are not computed.

    They have no gradient of their own (`requires_grad` is False): it flows from what is computed of them.

    Args:
        hidden: float tensor (..., width), what the output layer got.
        head: makes logits of it.
        dtype: of the logits.
        scored: shared by what has the same values for the same positions.
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
            if self.head.trains:
                self.head.tell("more of the logits is used in training than torch's cross-entropy of tokens")
            self._computed = self.head.logits(self.hidden)
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
            if known.ignored == ignored and torch.equal(known.targets, flat):
                return known.losses, known.hits
        counted = flat.ne(ignored)
        hidden = self.hidden.reshape(-1, self.hidden.shape[-1])
        losses, hits = position_scores(hidden[counted], flat[counted], self.head)
        all_losses = losses.new_zeros(flat.shape).masked_scatter_(counted, losses)
        all_hits = torch.zeros_like(counted).masked_scatter_(counted, hits)
        self.scored.append(_Scored(flat, ignored, all_losses, all_hits))
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
        elif not any(isinstance(given, torch.Tensor) for given in kwargs.values()):
            if name in _ELEMENTWISE:
                made = _elementwise(func, name, args, kwargs)
            elif name in _KEEP_VALUES or name == "__getitem__":
                made = _moved(func, name, args, kwargs)
        if made is not None:
            return made
        return func(*(computed(given) for given in args), **{key: computed(given) for key, given in kwargs.items()})

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: object, **__: object) -> Any:  # type: ignore[override]
        """Refuse what reaches torch without having been computed.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"{func} got logits that are not computed")


def computed(given: Any) -> Any:
    """Return deferred logits computed, alone or in lists and tuples, and anything else as it is."""
    if isinstance(given, DeferredLogits):
        return given.compute()
    if type(given) in (list, tuple):
        return type(given)(computed(item) for item in given)
    return given


def _elementwise(func: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> DeferredLogits | None:
    """Return logits that are changed one by one, or None where the function needs more than one logit at a time."""
    places = [place for place, given in enumerate(args) if isinstance(given, DeferredLogits)]
    if places != [0] and not (places == [1] and name in _COMMUTATIVE):
        return None
    [place] = places
    logits: DeferredLogits = args[place]
    others = [given for number, given in enumerate(args) if number != place]
    tensors = [given for given in others if isinstance(given, torch.Tensor)]
    if not logits.is_deferred or (tensors and name in _CASTS) or not all(_is_by_word(t, logits) for t in tensors):
        return None
    flat = [given.flatten() if isinstance(given, torch.Tensor) and given.dim() else given for given in others]

    def step(chunk: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = func(*flat[:place], chunk, *flat[place:], **kwargs)
        return changed

    dtype = step(torch.empty((0, logits.head.vocabulary), dtype=logits.dtype, device=logits.device)).dtype
    if name in _CASTS and dtype == logits.dtype:
        return logits
    head = attrs.evolve(logits.head, steps=(*logits.head.steps, step))
    return DeferredLogits(logits.hidden, head, dtype, logits.scored if name in _CASTS else [])


def _is_by_word(other: torch.Tensor, logits: DeferredLogits) -> bool:
    """Return whether a tensor that does not train has one value for each word, or one for all."""
    words = other.shape[-1] if other.dim() else 1
    alone = other.numel() == words and words in (1, logits.head.vocabulary) and other.dim() <= logits.dim()
    return alone and not other.requires_grad


def _moved(func: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> DeferredLogits | None:
    """Return logits of other positions or in another shape, or None where the words do not stay together."""
    logits = args[0] if args else None
    if not isinstance(logits, DeferredLogits) or not logits.is_deferred:
        return None
    hidden, head = logits.hidden, logits.head
    if name == "__getitem__":
        return DeferredLogits(hidden[args[1]], head, logits.dtype, []) if _takes_all_words(args[1], logits) else None
    if name in ("view", "reshape"):
        shape = func(torch.empty(logits.shape, device="meta"), *args[1:], **kwargs).shape
        if not shape or shape[-1] != head.vocabulary:
            return None
        hidden = hidden.reshape(*shape[:-1], hidden.shape[-1])
    elif name == "detach":
        hidden, head = hidden.detach(), attrs.evolve(head, trains=False)
    return DeferredLogits(hidden, head, logits.dtype, logits.scored)


def _takes_all_words(index: Any, logits: DeferredLogits) -> bool:
    """Return whether an index of numbers and slices leaves the last dimension as it is, and the last."""
    parts = index if isinstance(index, tuple) else (index,)
    if not all(part is Ellipsis or (isinstance(part, int | slice) and not isinstance(part, bool)) for part in parts):
        return False
    behind = parts[parts.index(Ellipsis) + 1 :] if Ellipsis in parts else ()
    named = [part for part in parts if part is not Ellipsis]
    last = named[-1] if len(named) >= logits.dim() else behind[-1] if behind else slice(None)
    return bool(last == slice(None))


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
    ignore_index, reduction, smoothing = (given.pop(key) for key in ("ignore_index", "reduction", "label_smoothing"))
    if not isinstance(logits, DeferredLogits) or not logits.is_deferred or reduction not in ("mean", "sum"):
        return None
    of_words = target.shape == logits.shape[:1] and not target.is_floating_point()
    as_usual = all(value == _CROSS_ENTROPY.parameters[name].default for name, value in given.items())
    if not of_words or not as_usual:
        return None
    count = target.ne(ignore_index).sum()
    if logits.head.trains and torch.is_grad_enabled():
        head = attrs.evolve(logits.head, smoothing=smoothing)
        total = loss_sum(*_labelled(logits.hidden, target, ignore_index), head)
    elif smoothing:
        return None
    else:
        total = logits.scores(target, ignore_index)[0].sum()
    return total / count if reduction == "mean" else total


def _labelled(hidden: torch.Tensor, target: torch.Tensor, ignored: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return hidden states and targets of the positions that have one; of all, where there are shapes and no values."""
    if isinstance(hidden, FakeTensor):
        return hidden, target
    [positions] = target.ne(ignored).nonzero(as_tuple=True)
    return (hidden, target) if len(positions) == len(target) else (hidden[positions], target[positions])
