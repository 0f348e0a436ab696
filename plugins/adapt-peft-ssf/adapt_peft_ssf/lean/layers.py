"""peft's LoRA layers, which keep less where that gives the same results.

Parameters and their names, and with them the files, are peft's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from peft.tuners.lora import Linear, LoraLayer
from peft.tuners.lora.dora import DoraLinearLayer
from peft.tuners.lora.variants import DoraLinearVariant
from torch import nn
from torch.distributed.tensor import DTensor
from transformers.pytorch_utils import Conv1D

from adapt_peft_ssf.lean.functions import DoraLinear, Frozen, LoraLinear, LoraUpdate
from adapt_peft_ssf.lean.norms import KeptNorms

_EXACT = (torch.float32, torch.float64)
_DEVICES = ("cpu", "cuda")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_QUANTIZED = "peft.tuners.lora.bnb"
_NORMED = (DoraLinearLayer, KeptNorms)


class LeanLinear(Linear):
    """A `peft.tuners.lora.Linear` that keeps less where one adapter, LoRA's or DoRA's, is active on a frozen layer.

    On a plain layer of one type, in single or double precision, layer and adapter are one function. Elsewhere LoRA's
    update alone is one, and DoRA is peft's.
    """

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the base layer's output with the adapter's."""
        name = None if args or kwargs else lean_adapter(self, x)
        output: torch.Tensor
        if name is None:
            output = super().forward(x, *args, **kwargs)
        elif self._is_one_function(name, x):
            output = self._as_one_function(name, x)
        elif name in self.lora_variant:
            output = super().forward(x)
        else:
            result = self.base_layer(x)
            output = (result + lora_update(self, name, x)).to(result.dtype)
        return output

    def _is_one_function(self, name: str, x: torch.Tensor) -> bool:
        base, dropout = self.base_layer, self.lora_dropout[name]
        if type(base) is not (Conv1D if self.fan_in_fan_out else nn.Linear) or _is_changed(base):
            return False
        if isinstance(dropout, nn.Dropout) and dropout.training is not self.training:
            return False
        frozen = [base.weight] if base.bias is None else [base.weight, base.bias]
        if any(tensor.requires_grad for tensor in frozen):
            return False
        return len({tensor.dtype for tensor in [x, *frozen, *_parameters(self, name)]}) == 1

    def _as_one_function(self, name: str, x: torch.Tensor) -> torch.Tensor:
        base = self.base_layer
        weight = base.weight.T if self.fan_in_fan_out else base.weight
        facts = Frozen(weight, base.bias, self.scaling[name], _share(self, name))
        function: Any = DoraLinear if name in self.lora_variant else LoraLinear
        output: torch.Tensor = function.apply(x, *_parameters(self, name), facts)
        return output


def lean_adapter(layer: LoraLayer, x: torch.Tensor) -> str | None:
    """Return the name of the one adapter that is active, or None where peft's own forward is needed.

    So it is outside of training, where nothing is kept: outputs are then those of the saved adapter in plain peft, bit
    by bit.
    """
    names: list[str] = [name for name in layer.active_adapters if name in layer.lora_A]
    if len(names) != 1 or layer.disable_adapters or layer.merged:
        return None
    if not layer.training or torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return None
    (name,) = names
    parts = [layer.lora_A[name], layer.lora_B[name], layer.lora_dropout[name]]
    if any(type(part) is not nn.Linear or part.bias is not None for part in parts[:2]):
        return None
    if type(parts[2]) not in (nn.Dropout, nn.Identity) or getattr(parts[2], "inplace", False):
        return None
    if name in layer.lora_variant:
        parts += [layer.lora_magnitude_vector[name]] if name in layer.lora_magnitude_vector else []
        if type(layer.lora_variant[name]) is not DoraLinearVariant or type(parts[-1]) not in _NORMED:
            return None
    if any(_is_changed(part) for part in parts):
        return None
    if _share(layer, name) and not x.is_contiguous():  # torch draws dropout in the order of the memory
        return None
    return name if _is_exact(x, list(_parameters(layer, name))) and layer.cast_input_dtype_enabled else None


def lora_update(layer: LoraLayer, name: str, x: torch.Tensor) -> torch.Tensor:
    """Return what LoRA adds to a layer's output, in the type of the adapter."""
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    update: torch.Tensor = LoraUpdate.apply(x, a, b, layer.scaling[name], _share(layer, name))
    return update


def use_lean_layers(model: nn.Module) -> None:
    """Let peft's LoRA layers of a model keep less for the backward pass, in place."""
    for module in model.modules():
        if type(module) is Linear:
            module.__class__ = LeanLinear
        elif type(module).__module__ == _QUANTIZED:
            from adapt_peft_ssf.lean.quantized import LEAN  # It imports bitsandbytes.

            module.__class__ = LEAN.get(type(module), type(module))


def _parameters(layer: LoraLayer, name: str) -> Iterator[torch.Tensor]:
    yield layer.lora_A[name].weight
    yield layer.lora_B[name].weight
    if name in layer.lora_variant:
        yield layer.lora_magnitude_vector[name].weight


def _share(layer: LoraLayer, name: str) -> float:
    dropout = layer.lora_dropout[name]
    return dropout.p if isinstance(dropout, nn.Dropout) and dropout.training else 0.0


def _is_exact(x: torch.Tensor, parameters: Iterable[torch.Tensor]) -> bool:
    """Return whether all are on one device and the parameters of one type, single precision or more, not autocast."""
    tensors = [x, *parameters]
    if any(isinstance(tensor, DTensor) for tensor in tensors) or not x.is_floating_point():
        return False
    if len({tensor.device for tensor in tensors}) != 1 or len({tensor.dtype for tensor in tensors[1:]}) != 1:
        return False
    kind = x.device.type
    return tensors[1].dtype in _EXACT and kind in _DEVICES and not torch.is_autocast_enabled(kind)


def _is_changed(part: nn.Module) -> bool:
    return "forward" in vars(part) or any(getattr(part, name) for name in _HOOKS)
