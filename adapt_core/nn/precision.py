"""Weights in half precision, held in float32 for a while."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import nn

_HALVES = (torch.float16, torch.bfloat16)


def is_half(dtype: torch.dtype) -> bool:
    """Return whether a type is half precision: float16 or bfloat16."""
    return dtype in _HALVES


def half_tensors(model: nn.Module) -> list[torch.Tensor]:
    """Return the parameters and buffers of a model that are in half precision, tied ones once."""
    return list({id(tensor): tensor for tensor in _floats(model) if is_half(tensor.dtype)}.values())


def widen(model: nn.Module) -> None:
    """Make the half-precision tensors of a model float32 in place; each value stays what it is."""
    for tensor in half_tensors(model):
        tensor.data = tensor.data.float()


class Widened:
    """The half-precision tensors of a model, made float32 in place; each value stays what it is.

    Where a GPU has no room for that, the model goes to the CPU.

    Args:
        model: in any precision. Its parameters must stay the same objects until `narrow`, which gives others the type
            of their module's.
    """

    def __init__(self, model: nn.Module) -> None:
        _make_room(model)  # first, for it makes new objects of buffers
        # The tensors are kept, so that no other gets the id of one.
        self._before = {id(tensor): (tensor, tensor.dtype) for tensor in _floats(model)}
        self._halves = [tensor for tensor, dtype in self._before.values() if is_half(dtype)]
        self.widen(model)

    @property
    def dtype(self) -> str | None:
        """The name of the type that tensors had ("bfloat16"), or None where all were wide enough."""
        return str(self._before[id(self._halves[0])][1]).removeprefix("torch.") if self._halves else None

    def widen(self, model: nn.Module) -> None:
        """Make the tensors of a model float32 that are in half precision."""
        widen(model)

    def narrow(self, model: nn.Module) -> None:
        """Give the tensors of a model the type that they had; new ones that of another tensor of their module."""
        for module in model.modules():
            tensors = list(_own_floats(module))
            known = [self._before[id(tensor)][1] for tensor in tensors if id(tensor) in self._before]
            for tensor in tensors:
                dtype = self._before.get(id(tensor), (None, known[0] if known else tensor.dtype))[1]
                tensor.data = tensor.data.to(dtype)


def _make_room(model: nn.Module) -> None:
    """Move a model to the CPU where its GPU has no room for twice the size of its half-precision tensors."""
    halves = half_tensors(model)
    device = halves[0].device if halves else torch.device("cpu")
    if device.type == "cuda" and sum(tensor.nbytes for tensor in halves) > torch.cuda.mem_get_info(device)[0]:
        model.to("cpu")


def _floats(model: nn.Module) -> Iterator[torch.Tensor]:
    for module in model.modules():
        yield from _own_floats(module)


def _own_floats(module: nn.Module) -> Iterator[torch.Tensor]:
    tensors = itertools.chain(module.parameters(recurse=False), module.buffers(recurse=False))
    yield from (tensor for tensor in tensors if tensor.dtype.is_floating_point)
