"""Tensors sharded over processes (torch's DTensor), seen from one process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


def is_sharded(tensor: torch.Tensor) -> bool:
    """Return whether this process holds a share of the tensor."""
    return hasattr(tensor, "to_local")


def local_shard(tensor: torch.Tensor) -> torch.Tensor:
    """Return the share of this process, or the tensor itself where it is whole. A share may be empty."""
    share: torch.Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return share


def compute_device(model: nn.Module) -> torch.device:
    """Return where a model computes: shares may wait on the CPU (CPU offload of FSDP) for the GPU that gathers them."""
    first = next(model.parameters())
    if not is_sharded(first):
        return first.device
    kind: str = first.device_mesh.device_type  # type: ignore[attr-defined]
    return torch.device(kind) if kind == "cpu" else torch.device(kind, torch.accelerator.current_device_index())


def plain_name(parameter: str) -> str:
    """Return a parameter's name without what activation checkpointing puts around layers."""
    return parameter.replace("_checkpoint_wrapped_module.", "")


@contextmanager
def restored_requires_grad(model: nn.Module) -> Iterator[None]:
    """Restore which parameters require gradients after a block that changes or replaces parameters.

    Parameters are matched by name, whatever activation checkpointing put around their layers in the block.
    """
    requires_grad = {plain_name(name): parameter.requires_grad for name, parameter in model.named_parameters()}
    try:
        yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(requires_grad[plain_name(name)])


def all_reduce_norms(norms: torch.Tensor, sharded: bool) -> torch.Tensor:
    """Norms of whole tensors from those of this process's shares. Every process must call it with the same tensors."""
    if not sharded:
        return norms
    squares = norms.square()
    torch.distributed.all_reduce(squares)
    return squares.sqrt()


def union_over_ranks(names: Iterable[str]) -> set[str]:
    """Return the names that any process gives. Every process must call it."""
    given: list[list[str]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(given, sorted(names))
    return {name for part in given for name in part}
