"""Weights of a checkpoint in a model for other classes: tensors that fit are loaded, the others are logged."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from adapt_core.errors import InputError, first_of
from adapt_core.nn.weights import read_state_dict

log = logging.getLogger(__name__)

_NAMED = 4


def load_matching(model: nn.Module, path: Path) -> frozenset[str]:
    """Load every tensor whose name and shape fit.

    Returns:
        the names of the loaded tensors.

    Raises:
        InputError: nothing fits, or the file would run code when loaded.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in read_state_dict(path).items()}
    own = model.state_dict()
    fits = {name: tensor for name, tensor in state.items() if name in own and own[name].shape == tensor.shape}
    if not fits:
        raise InputError(
            f"none of the {len(state)} tensors in {path} fits {type(model).__name__}. Give weights of this model."
        )
    model.load_state_dict(fits, strict=False)
    log.info("%d of %d tensors loaded from %s", len(fits), len(own), path)
    for what, names in (
        ("of another shape in the checkpoint", [n for n in state if n in own and n not in fits]),
        ("not in the checkpoint", [n for n in own if n not in state and not n.endswith("num_batches_tracked")]),
        ("in the checkpoint but not in the model", [n for n in state if n not in own]),
    ):
        if names:
            log.info("%d tensors %s: %s", len(names), what, first_of(names, _NAMED))
    return frozenset(fits)


def new_parameters(model: nn.Module, loaded: frozenset[str]) -> frozenset[str]:
    """Return the names of parameters that were not loaded, shared ones under every name."""
    by_identity: dict[int, set[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        by_identity.setdefault(id(parameter), set()).add(name)
    new = [names for names in by_identity.values() if not names & loaded]
    first = {name for name, _ in model.named_parameters()}
    return frozenset(name for names in new for name in names) & first


def log_origin(model: nn.Module, loaded: frozenset[str]) -> None:
    """Log that a model is trained from scratch, if no weights were loaded."""
    if not loaded:
        log.info("no weights were given: %s is trained from scratch", type(model).__name__)
