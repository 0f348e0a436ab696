"""One forward pass of a model whose trainable modules come last: where the frozen part ends, and what it hands on.

Nothing here goes by names. The outermost modules without a trainable parameter that are called before the first module
with one are the frozen part. Their outputs are cut off from what made them, and the gradient of the scores then says
which of them, and which positions, the rest of the model uses directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import attrs
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._pytree import tree_flatten, tree_unflatten

from adapt_core.nn.structure import has_parameters

Place = tuple[int, int]
"""A tensor that the frozen part returns: the number of the call, and of the tensor in its output."""

Forward = Callable[[], list[torch.Tensor]]
"""Calls the model on a batch and returns its scores."""


@attrs.frozen(eq=False)
class Call:
    """A call of a frozen module.

    Attributes:
        module: what is called.
        leaves: its output, flat; tensors of the traced batch among them.
        structure: makes an output of leaves.
    """

    module: nn.Module
    leaves: Sequence[Any]
    structure: Any

    def output(self, leaves: Sequence[Any]) -> Any:
        """Return an output of the same structure with other leaves."""
        return tree_unflatten(list(leaves), self.structure)

    def empty(self) -> Call:
        """Return the call with tensors that hold nothing but their type."""
        leaves = [torch.empty(0, dtype=leaf.dtype) if isinstance(leaf, torch.Tensor) else leaf for leaf in self.leaves]
        return Call(self.module, leaves, self.structure)


@attrs.frozen(eq=False)
class Trace:
    """A traced forward pass.

    Attributes:
        calls: of the frozen part, in their order.
        gradients: of the scores, by the tensors that the rest of the model uses.
    """

    calls: Sequence[Call]
    gradients: Mapping[Place, torch.Tensor]


def find_frozen(model: nn.Module, forward: Forward) -> list[nn.Module] | None:
    """Return the frozen part of a model: modules in the order of their first call; none where nothing is frozen first.

    A module that the rest calls too is not in it, nor is dropout behind its last layer, which belongs to the head.

    Returns:
        None where a module that trains is not called, as those of an adapter that is switched off.
    """
    before, behind = _called_modules(model, forward)
    rest = set(behind)
    if any(module not in rest for module in model.modules() if _owns_trainable(module)):
        return None
    found = [module for module in dict.fromkeys(before) if module not in rest]
    with_parameters = [number for number, module in enumerate(found) if has_parameters(module)]
    if not with_parameters:
        return []
    last = with_parameters[-1]
    return [module for number, module in enumerate(found) if number <= last or not _is_random(module)]


def _called_modules(model: nn.Module, forward: Forward) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the outermost frozen modules called before the first that trains, and all modules called from there on."""
    own = set(model.modules())
    before: list[nn.Module] = []
    behind: list[nn.Module] = []
    frozen: list[nn.Module] = []  # the frozen modules whose forward is running, from the outermost in

    def begin(module: nn.Module, _inputs: Any) -> None:
        if module not in own:
            return
        if behind or (not frozen and _owns_trainable(module)):
            behind.append(module)
        elif frozen or not any(parameter.requires_grad for parameter in module.parameters()):
            if not frozen:
                before.append(module)
            frozen.append(module)

    def end(module: nn.Module, _inputs: Any, _output: Any) -> None:
        if frozen and frozen[-1] is module:
            frozen.pop()

    handles = [register_module_forward_pre_hook(begin), register_module_forward_hook(end)]
    try:
        with torch.no_grad():
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return before, behind


def frozen_share(model: nn.Module) -> float:
    """Return the share of the matrices that come before the first trainable parameter, in the order of definition.

    Cheap, and about that of the frozen part in the time of a forward pass. Tables of embeddings cost no time.
    """
    frozen = list(takewhile(lambda parameter: not parameter.requires_grad, model.parameters()))
    return matrix_share(frozen, model)


def matrix_share(parameters: Iterable[nn.Parameter], model: nn.Module) -> float:
    """Return the share of a model's matrices, without tables of embeddings, that are among some parameters."""
    tables = {id(table.weight) for table in model.modules() if isinstance(table, nn.Embedding)}

    def size(some: Iterable[nn.Parameter]) -> int:
        return sum(each.numel() for each in some if each.dim() > 1 and id(each) not in tables)

    return size(parameters) / max(1, size(model.parameters()))


def _owns_trainable(module: nn.Module) -> bool:
    """Return whether a module has a trainable parameter itself, or in a list of parameters, which is not called."""
    if isinstance(module, _LISTS):
        return False
    owners = [module, *(child for child in module.children() if isinstance(child, _LISTS))]
    return any(parameter.requires_grad for owner in owners for parameter in owner.parameters(recurse=False))


_LISTS = (nn.ParameterDict, nn.ParameterList)


def _is_random(module: nn.Module) -> bool:
    """Return whether a module without parameters drops something at random while it trains (dropout, drop path)."""
    return not has_parameters(module) and any(
        float(getattr(part, "p", None) or getattr(part, "drop_prob", None) or 0.0) > 0
        for part in module.modules()
        if "drop" in type(part).__name__.lower()
    )


def trace(modules: Sequence[nn.Module], forward: Forward) -> Trace:
    """Trace a forward pass in the mode that the model is in.

    Args:
        modules: the frozen part.
        forward: of the model.
    """
    leaves: dict[Place, torch.Tensor] = {}

    def cut(call: Call, number: int) -> Any:
        handed_on = list(call.leaves)
        for place, leaf in enumerate(call.leaves):
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
                leaves[number, place] = leaf.detach().requires_grad_()
                handed_on[place] = leaves[number, place].clone()  # what follows may change it in place
        return call.output(handed_on)

    with torch.enable_grad(), watched(modules, cut) as calls:
        found = forward()
        # Any weights will do that are not alike, so that nothing cancels out.
        weighted = [(score.cpu().double() * _weights(score)).sum() for score in found]
        total = torch.stack(weighted).sum()
    if not leaves or not total.requires_grad:
        return Trace([], {})
    gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    used = {place: gradient for place, gradient in zip(leaves, gradients, strict=True) if gradient is not None}
    return Trace(calls, used)


def _weights(score: torch.Tensor) -> torch.Tensor:
    return torch.linspace(1, 2, score.numel(), dtype=torch.float64).view_as(score)


@contextmanager
def watched(modules: Sequence[nn.Module], ended: Callable[[Call, int], Any] | None = None) -> Iterator[list[Call]]:
    """Within the context, collect the calls of modules.

    Args:
        modules: the frozen part.
        ended: (a call, its number) -> what takes the place of its output; None leaves it.
    """
    calls: list[Call] = []

    def after(module: nn.Module, _inputs: Any, output: Any) -> Any:
        leaves, structure = tree_flatten(output)
        calls.append(Call(module, leaves, structure))
        return None if ended is None else ended(calls[-1], len(calls) - 1)

    handles = [module.register_forward_hook(after) for module in modules]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
