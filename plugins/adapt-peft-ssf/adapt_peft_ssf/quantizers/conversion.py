"""Linear layers into bitsandbytes' ones and back, in any module."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from adapt_core.errors import InputError
from adapt_core.nn.modes import evaluation_mode

log = logging.getLogger(__name__)


def quantized_layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Return full names and modules of the 4- and 8-bit layers of a model."""
    import bitsandbytes as bnb

    for name, module in model.named_modules():
        if isinstance(module, (bnb.nn.Linear4bit, bnb.nn.Linear8bitLt)):
            yield name, module


def is_quantized(model: nn.Module) -> bool:
    """Return whether a model has any 4- or 8-bit layer."""
    return next(quantized_layers(model), None) is not None


def replace_linears(model: nn.Module, skip: Sequence[str], make: Callable[[nn.Module], nn.Module], device: str) -> None:
    """Replace each Linear (and Conv1D) of a module in place, and move the module to its device, which quantizes.

    Args:
        model: any module, with its weights loaded.
        skip: names (or last parts of names) of modules to leave alone, with all inside them.
        make: a quantized layer for a Linear, with its weight; its bias is set here.
        device: where the model will live.

    Raises:
        InputError: no Linear is left to quantize.
    """
    for name in quantizable(model, skip):
        plain = model.get_submodule(name)
        layer: Any = make(plain)
        _, bias = weight_and_bias(plain)
        if bias is not None:
            layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
        layer.source_cls = type(plain)
        model.set_submodule(name, layer)
    model.to(device)


def quantizable(model: nn.Module, skip: Sequence[str]) -> list[str]:
    """Return the names of the layers of a plain model that are quantized.

    Raises:
        InputError: there is none.
    """
    skip = [
        *skip,
        *(getattr(model, "_keep_in_fp32_modules", None) or ()),
    ]  # T5 casts its inputs to such a weight's type
    found = [
        name
        for name, module in model.named_modules()
        if name and not _skipped(name, skip) and not _in_attention(model, name) and _is_linear(module)
    ]
    if not found:
        raise InputError(no_layer(model))
    return found


def _is_linear(module: nn.Module) -> bool:
    """Return whether a module computes a linear map from its weight and bias alone, as a quantized layer does.

    Other libraries derive classes from Linear: mmcv's is the same with a guard for old versions of torch, others scale
    or mask their weight. Its output for one input decides.
    """
    if type(module) in (nn.Linear, Conv1D):
        return True
    weight = getattr(module, "weight", None)
    if not isinstance(module, nn.Linear) or weight is None or not weight.is_floating_point() or weight.is_meta:
        return False
    given = torch.linspace(-1, 1, module.in_features, dtype=weight.dtype, device=weight.device)[None]
    with torch.no_grad(), evaluation_mode(module):
        return torch.equal(module(given), nn.functional.linear(given, weight, module.bias))


def weight_and_bias(module: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return a plain layer's weight as (out, in), and its bias."""
    weight = module.weight.detach()
    return (weight.T.contiguous() if isinstance(module, Conv1D) else weight), module.bias


def no_layer(model: nn.Module) -> str:
    """Return the message for a model without anything to quantize."""
    return (
        f"{type(model).__name__} has no Linear layer outside its head, and only such layers can be held in 4 or 8 "
        "bits. Leave load_in_4bit and load_in_8bit out."
    )


def _skipped(name: str, skip: Sequence[str]) -> bool:
    parts = name.split(".")
    return any(
        name == entry or name.startswith(f"{entry}.") or entry in parts or name.endswith(f".{entry}") for entry in skip
    )


def _in_attention(model: nn.Module, name: str) -> bool:
    parent = name.rpartition(".")[0]
    return bool(parent) and isinstance(model.get_submodule(parent), nn.MultiheadAttention)


def dequantize(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Replace each quantized layer by a plain one (a Conv1D where it was one), in place, and return the model.

    What the quantized layers compute is kept, but for the rounding of their compute type.
    """
    for name, module in list(quantized_layers(model)):
        model.set_submodule(name, _plain(module, dtype))
    for attribute in ("is_loaded_in_4bit", "is_loaded_in_8bit", "is_quantized", "hf_quantizer", "quantization_method"):
        vars(model).pop(attribute, None)
    config = getattr(model, "config", None)
    if config is not None and hasattr(config, "quantization_config"):
        del config.quantization_config
    for parameter in model.parameters():
        if parameter.dtype.is_floating_point:
            parameter.data = parameter.data.to(dtype)
    return model


def _plain(module: Any, dtype: torch.dtype) -> nn.Module:
    weight = dequantized_weight(module).to(dtype)
    plain: nn.Module
    if module.__dict__.get("source_cls") == Conv1D:
        plain = Conv1D(module.out_features, module.in_features)
        weight = weight.T.contiguous()
        bias = module.bias if module.bias is not None else torch.zeros(module.out_features, device=weight.device)
    else:
        with torch.device("meta"):
            plain = nn.Linear(module.in_features, module.out_features, bias=module.bias is not None)
        bias = module.bias
    plain.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        plain.bias = nn.Parameter(bias.detach().to(dtype), requires_grad=False)
    return plain.train(module.training)


def dequantized_weight(module: Any) -> torch.Tensor:
    """Return the weight that a quantized layer computes with, in float, as (out, in)."""
    import bitsandbytes as bnb

    weight = module.weight
    if isinstance(module, bnb.nn.Linear4bit):
        values: torch.Tensor = bnb.functional.dequantize_4bit(weight.data, weight.quant_state)
        return values
    if module.state.has_fp16_weights:
        held: torch.Tensor = weight.data
        return held
    scale = module.state.SCB if module.state.SCB is not None else weight.SCB
    values = bnb.functional.int8_vectorwise_dequant(weight.data, scale.to(weight.device))
    return values
