"""DoRA layers that keep the norms of their weights between forward passes that nothing trains.

peft computes the norm of each adapted weight, W + s B A, at each forward pass: in evaluation as many operations as the
layer itself, and on a quantized base the weight is dequantized once more. Here it is computed once, and again where a
tensor that it depends on is another one or was written to. peft can keep norms too (`peft.helpers.DoraCaching`), with
the products B A of all layers, for a whole process, and until the layer trains: a checkpoint that is loaded into an
evaluated model would not be seen.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.dora import DoraLinearLayer
from torch import nn
from torch.distributed.tensor import DTensor

_KEPT = "weight-norm-in-evaluation"


class KeptNorms(DoraLinearLayer):
    """A `peft.tuners.lora.dora.DoraLinearLayer` whose norm is kept in evaluation; outputs are peft's bit by bit."""

    def forward(self, x: torch.Tensor, **given: Any) -> torch.Tensor:
        """Return what DoRA adds to the base layer's output. For the arguments see peft's layer."""
        lora_a, lora_b, base, scaling = given["lora_A"], given["lora_B"], given["base_layer"], given["scaling"]
        result = given.get("base_result")
        state = None if self.training or torch.is_grad_enabled() else _state(base.weight, lora_a.weight, lora_b.weight)
        if state is None or result is None:
            output: torch.Tensor = super().forward(x, **given)
            return output
        state = (*state, scaling, x.dtype)
        kept = self._cache_get(_KEPT, None)
        if kept is None or kept[0] != state:
            kept = (state, self._norm(x.dtype, **given))
            self._cache_store(_KEPT, kept)
        share = (self.weight / kept[1]).view(1, -1)
        added = lora_b(lora_a(x))
        if base.bias is not None:
            result = result - base.bias
        output = (share - 1) * result + share * added * scaling
        return output

    def _norm(self, dtype: torch.dtype, *, lora_A: nn.Module, lora_B: nn.Module, **given: Any) -> torch.Tensor:  # noqa: N803 - peft's names
        from peft.utils.integrations import dequantize_module_weight

        update = self.get_lora_weight(lora_A=lora_A, lora_B=lora_B).to(dtype)
        weight = dequantize_module_weight(given["base_layer"]).to(dtype)
        norm: torch.Tensor = self.get_weight_norm(weight=weight, lora_weight=update, scaling=given["scaling"])
        return norm


def keep_norms(model: nn.Module) -> None:
    """Let the DoRA layers of a model keep their norms in evaluation, in place."""
    for module in model.modules():
        if type(module) is DoraLinearLayer:
            module.__class__ = KeptNorms


def _state(*tensors: torch.Tensor) -> tuple[Any, ...] | None:
    """Return what tells whether tensors were written to or replaced; None where that cannot be told."""
    if any(isinstance(tensor, DTensor) or tensor.is_inference() for tensor in tensors):
        return None
    return tuple((tensor.data_ptr(), tensor._version) for tensor in tensors)
