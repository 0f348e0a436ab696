"""KEEP: soup: the greedy average of a run's best checkpoints.

"Model soups" (Wortsman et al., ICML 2022, arXiv:2203.05482, recipe 1), over the checkpoints of one run: the best one by
validation begins; of the others, from the best to the worst, each joins where the average with it is not worse on the
validation split than the average without it. So it is never worse there than the best checkpoint.

The average is that of the tensors that train: of an adapter its own (the factors of LoRA), which is what is validated
and what is saved, in the form and the rank that it trained in.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs
import torch
from torch import nn

from adapt_core.nn.batch_norms import STATISTICS, batch_norms, estimated_anew
from adapt_core.result_records import SoupRecord, TriedCheckpoint

log = logging.getLogger(__name__)

Weights = dict[str, torch.Tensor]
"""Name -> tensor, on the CPU: parameters that train, and buffers."""

_BATCH_NORM_ROWS = 2048
"""Rows that statistics of batch norms are estimated from: Wu and Johnson (2021, arXiv:2105.07576) find 1,000 enough."""


class Ingredient(Protocol):
    """A checkpoint, and the validation metric of its weights."""

    @property
    def step(self) -> int: ...

    @property
    def value(self) -> float: ...


@attrs.frozen(kw_only=True)
class Kitchen:
    """What a loop does for a soup. In several processes all of them call each in the same order.

    Attributes:
        model: whose weights they are.
        trained: the names of the parameters that train.
        load: puts the weights of a step's checkpoint into the model.
        evaluate: returns the deciding metric of the model as it is, the same in every process.
        run_batches: runs the model on training batches, for the statistics of batch norms.
        is_better: (value, than): whether a value of the metric is better than another.
    """

    model: nn.Module
    trained: frozenset[str]
    load: Callable[[int], None]
    evaluate: Callable[[], float]
    run_batches: Callable[[], None]
    is_better: Callable[[float, float], bool]


@attrs.frozen(kw_only=True)
class Soup:
    """What was averaged.

    Attributes:
        steps: of the checkpoints in the average, the best first.
        value: the deciding metric of the average.
        tried: each checkpoint, from the best: {"step", "alone": its metric, "together": that of the average with it,
            "taken": whether it is in the average}.
        batch_norms: how many had their statistics estimated again.
    """

    steps: list[int]
    value: float
    tried: list[TriedCheckpoint]
    batch_norms: int = 0

    def to_record(self, metric: str, better: str) -> SoupRecord:
        """Return what `result.json` says.

        Args:
            metric: that decided.
            better: "higher" or "lower".
        """
        return {"metric": metric, "better": better, **attrs.asdict(self)}  # type: ignore[typeddict-item]


def count_norm_batches(batch_size: int) -> int:
    """Return how many training batches statistics of batch norms are estimated from, at most."""
    return math.ceil(_BATCH_NORM_ROWS / batch_size)


def trained_names(model: nn.Module) -> frozenset[str]:
    """Return the names of the parameters that train."""
    return frozenset(name for name, weight in model.named_parameters() if weight.requires_grad)


def greedy_soup(kitchen: Kitchen, ranked: Sequence[Ingredient]) -> Soup:
    """Put the greedy average of checkpoints into a model.

    Args:
        kitchen: of the loop that made them.
        ranked: the checkpoints, at least one, the best first.
    """
    first, *others = ranked
    kitchen.load(first.step)
    held = _held(kitchen.model, kitchen.trained)
    mean = Mean(held)
    soup = Soup(steps=[first.step], value=first.value, tried=[_tried(first, first.value, taken=True)])
    for one in others:
        kitchen.load(one.step)
        own = _held(kitchen.model, kitchen.trained)
        _put_in(kitchen.model, mean.with_further(own))
        moved = mean.moved_norms(own, kitchen.model)
        if moved:
            with estimated_anew(kitchen.model, moved):
                kitchen.run_batches()
        value = kitchen.evaluate()
        taken = not kitchen.is_better(soup.value, value) and not math.isnan(value)
        log.info("KEEP soup: with step %d: %.4g, %s", one.step, value, "taken" if taken else "left out")
        soup = attrs.evolve(soup, tried=[*soup.tried, _tried(one, value, taken=taken)])
        if taken:
            mean.add(own)
            held = _held(kitchen.model, kitchen.trained)
            soup = attrs.evolve(soup, steps=[*soup.steps, one.step], value=value, batch_norms=len(moved))
    kitchen.load(first.step)
    _put_in(kitchen.model, held)
    log.info("KEEP soup: the average of the weights of steps %s", ", ".join(map(str, soup.steps)))
    return soup


class Mean:
    """The mean of several weights, in double precision. What is the same in all of them stays as it is.

    Args:
        first: the weights that it begins with, whose tensors without a mean (whole numbers) it keeps.
    """

    def __init__(self, first: Weights) -> None:
        self._first = first
        self._sums = {name: tensor.double() for name, tensor in first.items() if tensor.is_floating_point()}
        self._differ: set[str] = set()
        self._count = 1

    def with_further(self, own: Weights) -> Weights:
        """Return the mean of these weights and all that were added, in the types of the first ones."""
        differ = self._differ | self._differing(own)
        further, count = dict(self._first), self._count + 1
        for name in differ:
            further[name] = ((self._sums[name] + own[name].double()) / count).to(self._first[name].dtype)
        return further

    def add(self, own: Weights) -> None:
        """Take further weights into the mean."""
        self._differ |= self._differing(own)
        for name, total in self._sums.items():
            total += own[name].double()
        self._count += 1

    def moved_norms(self, own: Weights, model: nn.Module) -> list[str]:
        """Return the names of a model's batch norms whose statistics differ between these weights."""
        differ = self._differ | self._differing(own)
        return [name for name in batch_norms(model) if any(f"{name}.{kind}" in differ for kind in STATISTICS)]

    def _differing(self, own: Weights) -> set[str]:
        return {name for name in self._sums if not torch.equal(self._first[name], own[name])}


def _held(model: nn.Module, trained: frozenset[str]) -> Weights:
    """Return copies of what training changes: these parameters, and the buffers that a state dict has."""
    named = dict(model.named_parameters())
    kept = model.state_dict(keep_vars=True)
    buffers = {name: tensor for name, tensor in model.named_buffers() if name in kept}
    tensors = {name: named[name] for name in sorted(trained)} | buffers
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _put_in(model: nn.Module, weights: Weights) -> None:
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with torch.no_grad():
        for name, tensor in weights.items():
            tensors[name].copy_(tensor)


def _tried(one: Ingredient, together: float, *, taken: bool) -> TriedCheckpoint:
    return {"step": one.step, "alone": one.value, "together": together, "taken": taken}
