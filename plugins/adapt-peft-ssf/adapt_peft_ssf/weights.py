"""The weights of layers, as adapters find them."""

from __future__ import annotations

import torch
from torch import nn

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def has_plain_weight(layer: nn.Module) -> bool:
    """Return whether a layer's `weight` is a parameter of floats in its full shape.

    It is not where a quantizer stores codes in it, or where it is computed anew at each access.
    """
    weight = getattr(layer, "weight", None)
    if type(weight) is not nn.Parameter or weight.dtype not in _FLOATS:
        return False
    return not isinstance(layer, nn.Linear) or weight.shape == (layer.out_features, layer.in_features)


def is_foreign_quantized_layer(module: nn.Module) -> bool:
    """Return whether a module is a quantized linear layer that is not a `torch.nn.Linear`."""
    linear = hasattr(module, "in_features") and hasattr(module, "out_features") and not list(module.children())
    tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return linear and not isinstance(module, nn.Linear) and any(not t.is_floating_point() for t in tensors)
