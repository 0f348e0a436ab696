"""The complete model from the shards of several processes."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from adapt_core.distributed.sharding import plain_name
from adapt_core.errors import DefectError


def structure_of(model: nn.Module) -> nn.Module:
    """Return a copy of a model without its weights: parameters on "meta", ties kept, buffers on the CPU."""
    without_weights: dict[int, torch.Tensor] = {
        id(buffer): buffer.detach().to("cpu", copy=True) for buffer in model.buffers()
    }
    without_weights |= {
        id(parameter): nn.Parameter(
            torch.empty_like(parameter.data, device="meta"), requires_grad=parameter.requires_grad
        )
        for parameter in model.parameters()
    }
    structure = copy.deepcopy(model, without_weights)
    for module in structure.modules():
        # Hooks that watch the training model do not belong in the saved one.
        module._forward_pre_hooks.clear()
        module._forward_pre_hooks_with_kwargs.clear()
    return structure


def gather_full_model(structure: nn.Module, model: nn.Module) -> nn.Module:
    """Return the structure with the complete weights of a sharded model, on the CPU. Every process must call it.

    Raises:
        DefectError: no parameter is sharded, or the two models do not have the same parameters.
    """
    for module in model.modules():
        # An evaluation leaves modules gathered (all of them under SHARD_GRAD_OP), as plain tensors.
        if isinstance(module, FSDPModule):
            module.reshard()
    whole: dict[str, torch.Tensor] = {}
    sharded = 0
    for name, parameter in model.named_parameters():
        tensor = parameter.detach()
        if isinstance(tensor, DTensor):
            sharded += 1
            tensor = tensor.full_tensor()
        whole[plain_name(name)] = tensor.cpu().clone()
    if not sharded:
        raise DefectError("FSDP was asked for, and no parameter of the trained model is sharded.")
    names = {name for name, _ in structure.named_parameters()}
    if names != set(whole):
        raise DefectError(f"sharding changed the model's parameters: {sorted(names ^ set(whole))[:5]}.")
    buffers = dict(structure.named_buffers())
    for name, buffer in model.named_buffers():
        buffers[plain_name(name)].copy_(buffer)
    _fill(structure, whole)
    _restore_4bit(structure)
    return structure


def _fill(structure: nn.Module, whole: dict[str, torch.Tensor]) -> None:
    empty = dict(structure.named_parameters())
    new = {
        id(parameter): nn.Parameter(whole[name].to(parameter.dtype), requires_grad=parameter.requires_grad)
        for name, parameter in empty.items()
    }
    for module in structure.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = new[id(parameter)]


def _restore_4bit(model: nn.Module) -> None:
    """Restore the class and quantization state of packed 4-bit weights, which sharding removed."""
    for module in model.modules():
        if getattr(module, "quant_state", None) is not None:
            from bitsandbytes.nn.modules import fix_4bit_weight_quant_state_from_module

            module.quant_state.to("cpu")
            fix_4bit_weight_quant_state_from_module(module)
