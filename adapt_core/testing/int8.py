"""A quantizer of no library: the third party that methods are tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import torch
from torch import nn

from adapt_core.errors import InputError
from adapt_core.plugin.params import param

_LARGEST = 127


@attrs.frozen
class Int8Params:
    """Parameters of `Int8`."""

    load_in_int8: bool = param(False, "Hold the base model's linear layers in int8.", on=True)


class Int8Linear(nn.Linear):
    """A Linear whose weight is int8 codes, with a float16 scale for each output (absolute-maximum quantization)."""

    scale: torch.Tensor

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__(plain.in_features, plain.out_features, bias=plain.bias is not None, device="meta")
        weight = plain.weight.detach().float()
        scale = (weight.abs().amax(1, keepdim=True).clamp(min=1e-4) / _LARGEST).half()
        codes = (weight / scale.float()).round().clamp(-_LARGEST, _LARGEST).to(torch.int8)
        self.weight = nn.Parameter(codes, requires_grad=False)
        self.register_buffer("scale", scale)
        if plain.bias is not None:
            self.bias = nn.Parameter(plain.bias.detach().clone(), requires_grad=False)

    def dequantized(self) -> torch.Tensor:
        """Return the weight that the layer computes with: float32, of shape (out_features, in_features)."""
        return self.weight.float() * self.scale.float()

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Return the layer's outputs: (..., in_features) -> (..., out_features)."""
        return nn.functional.linear(input, self.dequantized().to(input.dtype), self.bias)


class Int8:
    """Linear layers in int8, computed by torch alone."""

    def __init__(self, params: Int8Params | None = None) -> None:
        self.params = params or Int8Params()

    def hf_options(self, skip: Sequence[str], device: str) -> Mapping[str, object]:
        """Refuse: `from_pretrained` does not know this quantizer.

        Raises:
            InputError: always.
        """
        raise InputError(
            "load_in_int8: from_pretrained cannot load in int8; this quantizer converts models in memory."
            " Load the model in float32 first."
        )

    def convert(self, model: nn.Module, skip: Sequence[str], device: str) -> nn.Module:
        """Replace the Linear layers of a model in place.

        Raises:
            InputError: the model has no Linear outside the modules to skip.
        """
        kept = tuple(f"{name}." for name in skip)
        found = [
            name
            for name, module in model.named_modules()
            if type(module) is nn.Linear and name and name not in skip and not name.startswith(kept)
        ]
        if not found:
            raise InputError(
                f"load_in_int8: {type(model).__name__} has no Linear layer to quantize. Turn load_in_int8 off."
            )
        for name in found:
            plain = model.get_submodule(name)
            assert isinstance(plain, nn.Linear)
            model.set_submodule(name, Int8Linear(plain))
        return model.to(device)

    def prepare(self, model: nn.Module, gradient_checkpointing: bool) -> nn.Module:
        """Freeze the model."""
        return model.requires_grad_(False)

    def dequantize(self, model: nn.Module) -> nn.Module:
        """Replace the quantized layers by float32 ones that compute the same."""
        for name, module in list(model.named_modules()):
            if isinstance(module, Int8Linear):
                plain = nn.Linear(module.in_features, module.out_features, bias=module.bias is not None, device="meta")
                plain.weight = nn.Parameter(module.dequantized(), requires_grad=False)
                if module.bias is not None:
                    plain.bias = nn.Parameter(module.bias.detach().float(), requires_grad=False)
                model.set_submodule(name, plain.train(module.training))
        return model
