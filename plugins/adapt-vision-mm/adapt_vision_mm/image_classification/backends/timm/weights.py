"""A file of weights into a timm model: the complete base or an error, and no guessing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import nn

from adapt_core.errors import InputError
from adapt_core.nn.structure import find_head
from adapt_core.nn.weights import read_state_dict

State = Mapping[str, torch.Tensor]

_WRAPPERS = ("module.", "model.", "_orig_mod.", "backbone.")
"""Prefixes that training scripts add to every name."""

log = logging.getLogger(__name__)


def load_weights(model: nn.Module, path: Path, *, by_order: bool) -> frozenset[str]:
    """Load a file of weights into a timm model.

    Names may be timm's, have a training script's prefix, or be those that the architecture's own filter for foreign
    checkpoints converts. The base must be complete; a head of another shape is left as it is.

    Args:
        model: the model, whose head may have another number of classes than the file's.
        path: a state dict, read without running its code.
        by_order: load other names by the order of the tensors (load_by_order).

    Returns:
        the names of the parameters that are not in the file.

    Raises:
        InputError: the base in the file is incomplete.
    """
    state = read_state_dict(path)
    missing: list[str] = []
    for candidate in _candidates(state, model):
        missing_here = _missing(candidate, model)
        if not missing_here:
            return _load(candidate, model, path)
        missing = min(missing, missing_here, key=len) if missing else missing_here
    ordered = _by_order(state, model)
    if ordered is not None and by_order:
        pairs = list(zip(state, ordered, strict=True))
        log.warning(
            "%s: its names are not timm's; its %d tensors match %s in order, kind and shape and are loaded by order "
            "(load_by_order): %s as %s, ..., %s as %s",
            *(path.name, len(state), type(model).__name__, *pairs[0], *pairs[-1]),
        )
        return _load(ordered, model, path)
    total = len(model.state_dict())
    hint = (
        "Its tensors match the model's in order, kind and shape: if it is this architecture, --set load_by_order=true."
        if ordered is not None
        else "If it is of another architecture, set MODEL_PATH to that."
    )
    raise InputError(
        f"{path}: {len(missing)} of the {total} tensors of the model are missing or have another shape (the first: "
        f"{missing[0]}). {hint}"
    )


def _candidates(state: State, model: nn.Module) -> Iterator[State]:
    yield state
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in state):
            yield {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    known_filter = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if known_filter is not None:
        try:
            yield known_filter(dict(state), model)
        except (KeyError, AttributeError, RuntimeError, TypeError, ValueError, IndexError) as error:
            log.debug("the architecture's filter cannot read these weights: %r", error)


def _head_names(model: nn.Module) -> frozenset[str]:
    prefixes = tuple(f"{name}." for name in find_head(model))
    return frozenset(name for name in model.state_dict() if name.startswith(prefixes))


def _missing(state: State, model: nn.Module) -> list[str]:
    """Return the tensors of the base that a state lacks. BatchNorm's counters, which old files lack, are optional."""
    head = _head_names(model)
    return [
        name
        for name, tensor in model.state_dict().items()
        if name not in head
        and not name.endswith("num_batches_tracked")
        and (name not in state or state[name].shape != tensor.shape)
    ]


def _by_order(state: State, model: nn.Module) -> dict[str, torch.Tensor] | None:
    own, head = model.state_dict(), _head_names(model)
    if len(own) != len(state):
        return None
    for (name, tensor), (foreign, value) in zip(own.items(), state.items(), strict=True):
        if name.rpartition(".")[2] != foreign.rpartition(".")[2]:
            return None
        if name not in head and tensor.shape != value.shape:
            return None
    return dict(zip(own, state.values(), strict=True))


def _load(state: State, model: nn.Module, path: Path) -> frozenset[str]:
    own = model.state_dict()
    fits = {name: tensor for name, tensor in state.items() if name in own and own[name].shape == tensor.shape}
    model.load_state_dict(fits, strict=False)
    left = sorted(set(state) - set(fits) - _head_names(model))
    log.info("%d tensors loaded from %s%s", len(fits), path.name, f"; not used: {', '.join(left[:5])}" if left else "")
    return frozenset(name for name, _ in model.named_parameters() if name not in fits)
