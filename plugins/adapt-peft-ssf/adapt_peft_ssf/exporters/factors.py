"""What training changed in the layers of a model, as pairs of matrices (Eckart and Young, 1936).

Whatever an adapter does to a linear layer, the merged layer differs from the base's by a matrix and a bias. The
singular vectors of the largest singular values are the LoRA of a rank that is closest to that matrix.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

_EXACT = 1024
"""Sides of matrices up to which all singular values are computed; beyond, the largest ones by random projections."""
_ITERATIONS = 4
_SPARE = 16


@attrs.frozen
class Pair:
    """A low-rank change of a layer.

    Attributes:
        a: rank x inputs.
        b: outputs x rank.
        kept: the share of the change (of its squares) that it has.
        norm: the root of the squares of the change.
    """

    a: torch.Tensor
    b: torch.Tensor
    kept: float
    norm: float


@attrs.frozen
class Changes:
    """What training changed.

    Attributes:
        weights: layers to the changes of their matrices, outputs x inputs.
        biases: layers to the changes of their biases.
        modules: other modules that changed, or that the base does not have: they are kept whole.
        inputs_first: whether the layers have their weights inputs first (Conv1D).
    """

    weights: Mapping[str, torch.Tensor]
    biases: Mapping[str, torch.Tensor]
    modules: tuple[str, ...]
    inputs_first: bool


def changes_of(base: nn.Module, trained: nn.Module, absent: frozenset[str]) -> Changes:
    """Return what differs between two models of one structure.

    Args:
        base: the base model.
        trained: the adapted one, plain.
        absent: names of parameters that the base was not published with (a new head).
    """
    before, after = base.state_dict(), trained.state_dict()
    layers = {name: module for name, module in trained.named_modules() if isinstance(module, nn.Linear | Conv1D)}
    weights: dict[str, torch.Tensor] = {}
    biases: dict[str, torch.Tensor] = {}
    modules: dict[str, None] = {}
    inputs_first = False
    for name, value in after.items():
        module, _, parameter = name.rpartition(".")
        known = before.get(name)
        if known is not None and name not in absent and torch.equal(known.to(value.dtype), value):
            continue
        linear = layers.get(module)
        if linear is None or name in absent:
            modules[module] = None
            continue
        change = value.float() - (torch.zeros_like(value) if known is None else known).float()
        if parameter == "bias":
            biases[module] = change
            continue
        transposed = isinstance(linear, Conv1D)
        inputs_first = inputs_first or transposed
        weights[module] = change.T if transposed else change
    for module in biases:
        if module not in weights:
            shape = layers[module].weight.shape
            weights[module] = torch.zeros(shape[::-1] if isinstance(layers[module], Conv1D) else shape)
    return Changes(weights, biases, tuple(name for name in modules if name not in weights), inputs_first)


def factor(change: torch.Tensor, rank: int) -> Pair:
    """Return the closest change of a rank.

    Args:
        change: outputs x inputs.
        rank: at most; what it does not need is zero.
    """
    rank_there = min(rank, *change.shape)
    if max(change.shape) <= _EXACT:
        u, values, vh = torch.linalg.svd(change, full_matrices=False)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            given = min(rank_there + _SPARE, *change.shape)
            u, values, v = torch.svd_lowrank(change, q=given, niter=_ITERATIONS)
        vh = v.T
    root = values[:rank_there].sqrt()
    a = torch.zeros(rank, change.shape[1])
    b = torch.zeros(change.shape[0], rank)
    a[:rank_there] = root[:, None] * vh[:rank_there]
    b[:, :rank_there] = u[:, :rank_there] * root
    total = float(change.square().sum())
    left = float((change - b @ a).square().sum())
    return Pair(a, b, 1 - left / total if total else 1.0, total**0.5)


def short_names(chosen: Mapping[str, torch.Tensor], model: nn.Module) -> list[str]:
    """Return the last parts of layers' names where all layers of the model with such a part are chosen, else names."""
    last: dict[str, list[str]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | Conv1D):
            last.setdefault(name.rpartition(".")[2], []).append(name)
    short = {part: all(name in chosen for name in names) for part, names in last.items()}
    if any(part.isdigit() for part in short):  # layers of a list have no names
        return sorted(chosen)
    given = {name.rpartition(".")[2] if short[name.rpartition(".")[2]] else name for name in chosen}
    return sorted(given)
