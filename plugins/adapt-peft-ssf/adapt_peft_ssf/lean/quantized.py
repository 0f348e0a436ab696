"""peft's LoRA layers on 4-bit and 8-bit layers, whose update keeps less. DoRA's forward is peft's there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from peft.tuners.lora.bnb import Linear4bit, Linear8bitLt
from torch import nn

from adapt_peft_ssf.lean.layers import lean_adapter, lora_update


class _LeanUpdate(nn.Module):
    """What peft's layers on quantized ones get: LoRA's update as one function."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the base layer's output with the adapter's."""
        layer: Any = self
        name = None if args or kwargs else lean_adapter(layer, x)
        if name is None or name in layer.lora_variant:
            output: torch.Tensor = super().forward(x, *args, **kwargs)
            return output
        result: torch.Tensor = layer.base_layer(x)
        return result + lora_update(layer, name, x).to(result.dtype)


class LeanLinear4bit(_LeanUpdate, Linear4bit):
    """A `peft.tuners.lora.Linear4bit` that keeps less."""


class LeanLinear8bitLt(_LeanUpdate, Linear8bitLt):
    """A `peft.tuners.lora.Linear8bitLt` that keeps less."""


LEAN: Mapping[type[nn.Module], type[nn.Module]] = MappingProxyType(
    {Linear4bit: LeanLinear4bit, Linear8bitLt: LeanLinear8bitLt}
)
