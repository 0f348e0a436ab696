"""What a layer does with its weight, asked of the layer: whether an adapter beside it does what it says."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from transformers.pytorch_utils import Conv1D

from adapt_core.nn.modes import evaluation_mode

from adapt_peft_ssf.weights import has_plain_weight

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)

_READ_WITHOUT_A_CALL = (nn.MultiheadAttention, nn.TransformerEncoderLayer)
_PLAIN = (nn.Linear, Conv1D, *CONVOLUTIONS)
_SIDE = 9
_SETTINGS = (bool, int, float, str, tuple)
_ASKED: dict[tuple[object, ...], bool] = {}
_TOLERANCE = 0.05
"""Half precision stays far below it, and a weight that is standardized far above (a factor of sqrt(2))."""


def bypassed_by(parent: nn.Module | None) -> str | None:
    """Return why an adapter on a child of a module would have no effect, or None where it has."""
    kind = next((kind for kind in _READ_WITHOUT_A_CALL if isinstance(parent, kind)), None)
    if kind is None:
        return None
    return f"nn.{kind.__name__} uses the weight of its layer without calling the layer"


def reparametrized(module: nn.Module) -> str | None:
    """Return why nothing can be merged into a layer whose weight is computed from others, or None where it can."""
    hooks = module._forward_pre_hooks.values()
    if parametrize.is_parametrized(module) or any(isinstance(hook, (WeightNorm, SpectralNorm)) for hook in hooks):
        return "its weight is computed anew from others (weight_norm, spectral_norm or another parametrization)"
    return None


def transforms_its_weight(module: nn.Module) -> bool:
    """Return whether a layer's output is not linear in its weight, as where the weight is standardized first.

    The layer's outputs for two weights decide, and those for their sum. Without values (on the device "meta"), and
    where a layer takes other inputs than an image or vectors, its name does. Layers that are alike are asked once.
    """
    if type(module) in _PLAIN or not isinstance(module, _PLAIN) or not has_plain_weight(module):
        return False
    kind = kind_of(module)
    if kind not in _ASKED:
        _ASKED[kind] = _is_not_linear(module)
    return _ASKED[kind]


def kind_of(module: nn.Module) -> tuple[object, ...]:
    """Return what the answer of a layer depends on: its class, its weight's shape and type, and its own settings."""
    weight: Any = module.weight
    settings = sorted((name, repr(value)) for name, value in vars(module).items() if isinstance(value, _SETTINGS))
    return type(module), weight.shape, weight.dtype, weight.device.type, *settings


def _is_not_linear(module: nn.Module) -> bool:
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    if weight.is_meta:
        return _is_named_so(module)
    random = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random).to(weight)

    first, second, inputs = drawn(*weight.shape), drawn(*weight.shape), drawn(*input_shape(module))
    # A gain starts at 0 in the last layers of NFNet's blocks, where it would hide the weight.
    others = {
        name: torch.zeros_like(parameter) if name == "bias" else torch.ones_like(parameter)
        for name, parameter in module.named_parameters()
        if name != "weight"
    }
    weights = ({"weight": tried, **others} for tried in (first, second, first + second))
    try:
        with torch.no_grad(), evaluation_mode(module):
            outputs = [functional_call(module, given, (inputs,)) for given in weights]
    except (RuntimeError, TypeError, ValueError):  # its own forward takes something else
        return _is_named_so(module)
    difference = (outputs[2] - outputs[0] - outputs[1]).abs().max()
    return bool(difference > _TOLERANCE * outputs[2].abs().max())


def _is_named_so(module: nn.Module) -> bool:
    name = type(module).__name__
    return "Std" in name or "Standardized" in name


def input_shape(module: nn.Module) -> tuple[int, ...]:
    """Return the shape of a small input of a Linear, Conv1D or convolution."""
    if isinstance(module, nn.Linear):
        return (2, module.in_features)
    if isinstance(module, Conv1D):
        return (2, module.nx)
    assert isinstance(module, CONVOLUTIONS)
    sides = ((kernel - 1) * step + _SIDE for kernel, step in zip(module.kernel_size, module.dilation, strict=True))
    return (1, module.in_channels, *sides)
