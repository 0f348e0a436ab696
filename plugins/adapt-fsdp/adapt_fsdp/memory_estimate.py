"""Memory of each rank under ddp and fsdp, counted on a model without weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import attrs
from torch import nn

from adapt_core.capabilities import Memory, StoredBytes
from adapt_core.estimate.memory import stored
from adapt_core.estimate.optimizers import state_bytes

from adapt_fsdp.params import FsdpParams
from adapt_fsdp.wrap_policy import layer_classes

Wraps = Callable[[nn.Module, int], bool]

_GATHERED_AT_ONCE = 2
"""While one layer computes, the next one is gathered."""


def replicated(whole: Memory, processes: int) -> list[Memory]:
    """Return the memory of each rank under ddp: everything, and buckets as large as the gradients they average."""
    return [attrs.evolve(whole, exchanged=whole.gradients)] * processes


def sharded(
    model: nn.Module,
    quantized: Mapping[str, StoredBytes],
    whole: Memory,
    optimizer: str,
    params: FsdpParams,
    processes: int,
) -> list[Memory]:
    """Return the memory of each rank under fsdp: rows of each parameter, its gradient and states, and gathered layers.

    Args:
        model: with the method attached, its tensors on "meta".
        quantized: full names (in the plain model) of parameters that will be quantized -> their bytes. Their packed
            values are sharded evenly; their statistics are not.
        whole: the memory of a run in one process.
        optimizer: an OPTIMIZER.
        params: how the model is sharded.
        processes: the number of ranks.
    """
    sizes = {id(parameter): stored(name, parameter, quantized) for name, parameter in model.named_parameters()}
    kept = sum(stored(name, buffer, quantized).total for name, buffer in model.named_buffers())
    kept += sum(size.statistics for size in sizes.values())
    gathered = sum(sorted(_units(model, sizes, _policy(model, params)), reverse=True)[:_GATHERED_AT_ONCE])
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    ranks = []
    for rank in range(processes):
        weights, gradients, states = kept, 0, 0
        for parameter in model.parameters():
            size = sizes[id(parameter)]
            if size.statistics:
                weights += _rows_of((size.values,), rank, processes)[0]
                continue
            shape = _rows_of(parameter.shape, rank, processes)
            held = math.prod(shape) * (size.values // max(1, parameter.numel()))
            weights += held
            if parameter.requires_grad:
                gradients += held
                states += state_bytes(optimizer, shape, parameter.element_size(), id(parameter) in embeddings)
        if not whole.gradients:  # No training.
            gradients = states = 0
        held_states = gradients + states  # the trained weights take as many bytes as their gradients
        if params.fsdp_offload_params:
            weights, gradients, states = kept, 0, 0
        ranks.append(
            Memory(
                weights=weights,
                gradients=gradients,
                optimizer=states,
                activations=whole.activations,
                exchanged=gathered,
                checkpoint=held_states if whole.checkpoint else 0,
            )
        )
    return ranks


def _rows_of(shape: Sequence[int], rank: int, processes: int) -> tuple[int, ...]:
    """The shape of a rank's shard: as many rows as `torch.chunk` would give it."""
    rows = math.ceil(shape[0] / processes)
    return (min(rows, max(0, shape[0] - rank * rows)), *shape[1:])


def _policy(model: nn.Module, params: FsdpParams) -> Wraps:
    if params.fsdp_auto_wrap_policy == "NO_WRAP":
        return lambda module, count: False
    if params.fsdp_auto_wrap_policy == "SIZE_BASED_WRAP":
        return lambda module, count: count >= params.fsdp_min_num_params
    classes = params.fsdp_transformer_layer_cls_to_wrap or layer_classes(model)
    return lambda module, count: type(module).__name__ in classes


def _units(model: nn.Module, sizes: Mapping[int, StoredBytes], wraps: Wraps) -> list[int]:
    """Bytes of each group of parameters that is gathered together; the last has those outside any layer."""
    units: list[int] = []
    seen: set[int] = set()

    def rest(module: nn.Module) -> tuple[int, int]:
        """Elements and bytes below a module that are in no unit yet."""
        own = [parameter for parameter in module.parameters(recurse=False) if id(parameter) not in seen]
        seen.update(id(parameter) for parameter in own)
        below = [rest(child) for child in module.children()]
        count = sum(parameter.numel() for parameter in own) + sum(part[0] for part in below)
        size = sum(sizes[id(parameter)].values for parameter in own) + sum(part[1] for part in below)
        if module is not model and wraps(module, count):
            units.append(size)
            return 0, 0
        return count, size

    units.append(rest(model)[1])
    return units
