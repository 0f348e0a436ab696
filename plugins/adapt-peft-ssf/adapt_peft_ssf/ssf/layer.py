"""Layers whose output is scaled and shifted, channel by channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer, check_adapters_to_merge
from torch import nn
from transformers.pytorch_utils import Conv1D

from adapt_core.nn.precision import is_half

from adapt_peft_ssf.layers import CONVOLUTIONS, transforms_its_weight
from adapt_peft_ssf.ssf.config import SsfConfig
from adapt_peft_ssf.weights import has_plain_weight

SPREAD = 0.02
"""Standard deviation of the paper's random start."""

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._BatchNorm)


def is_rms_norm(module: nn.Module) -> bool:
    """Return whether a module is a root-mean-square norm: torch's, or one of the many that models bring along."""
    name = type(module).__name__
    return (isinstance(module, nn.RMSNorm) or "RMSNorm" in name or name == "T5LayerNorm") and _is_vector(module)


def _is_vector(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.dim() == 1 and not list(module.children())


def is_norm(module: nn.Module) -> bool:
    """Return whether SSF treats a module as a norm: scale and shift go into its own weight and bias."""
    return isinstance(module, _NORMS) or is_rms_norm(module)


def refusal(module: nn.Module) -> str | None:
    """Return why SSF cannot take a module, or None where it can."""
    if is_norm(module):
        return None if getattr(module, "weight", None) is not None else "it is a norm without a weight"
    if not isinstance(module, (nn.Linear, Conv1D, *CONVOLUTIONS)):
        return f"it is a {type(module).__name__}, not a linear, convolution or norm layer"
    if transforms_its_weight(module):
        return "it standardizes its weight, which would undo the scale"
    return None


def channels(module: nn.Module) -> tuple[int, ...]:
    """Return the shape of a scale for a module's output."""
    if isinstance(module, nn.Linear):
        return (module.out_features,)
    if isinstance(module, Conv1D):
        return (module.nf,)
    if isinstance(module, CONVOLUTIONS):
        return (module.out_channels,)
    weight: Any = module.weight
    return tuple(weight.shape)


class SsfLayer(nn.Module, BaseTunerLayer):
    """Scale and shift behind a Linear, Conv1D or convolution, or inside a norm's own affine step.

    Several active adapters follow one another in their order.
    """

    adapter_layer_names = ("ssf_scale", "ssf_shift")
    if TYPE_CHECKING:  # what peft's mixin brings, which nn.Module's own attribute lookup hides from type checkers
        active_adapters: list[str]
        merged: bool
        disable_adapters: bool
        get_base_layer: Callable[[], Any]
        set_adapter: Callable[..., None]
        _move_adapter_to_device_of_base_layer: Callable[[str], None]

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: SsfConfig) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.ssf_scale = nn.ParameterDict({})
        self.ssf_shift = nn.ParameterDict({})
        self.merged_adapters: list[str] = []
        self._disable_adapters = False
        self._active_adapter = adapter_name
        self._gained_bias = False
        self._offset = 1.0 if is_rms_norm(self.get_base_layer()) and _adds_one(self.get_base_layer()) else 0.0
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: SsfConfig, **_: object) -> None:
        """Add the scale and shift of one adapter, started as its config says."""
        base = self.get_base_layer()
        scale, shift = torch.ones(channels(base)), torch.zeros(channels(base))
        if config.init_ssf_weights == "random":
            scale, shift = scale + SPREAD * torch.randn_like(scale), SPREAD * torch.randn_like(shift)
        self.ssf_scale[adapter_name] = nn.Parameter(scale)
        has_bias = getattr(base, "bias", None) is not None
        if has_bias or (config.shift_without_bias and not is_rms_norm(base)):
            self.ssf_shift[adapter_name] = nn.Parameter(shift)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def _composed(self, names: list[str]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        scale: torch.Tensor | None = None
        shift: torch.Tensor | None = None
        for name in names:
            if name not in self.ssf_scale:
                continue
            factor = self.ssf_scale[name]
            scale = factor if scale is None else scale * factor
            shift = None if shift is None else shift * factor
            if name in self.ssf_shift:
                shift = self.ssf_shift[name] if shift is None else shift + self.ssf_shift[name]
        return scale, shift

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the base layer's output, scaled and shifted."""
        if self.disable_adapters and self.merged:
            self.unmerge()
        scale, shift = (None, None) if self.disable_adapters or self.merged else self._composed(self.active_adapters)
        if scale is None:
            plain: torch.Tensor = self.base_layer(x, *args, **kwargs)
            return plain
        if is_norm(self.get_base_layer()):
            weights = self._affine(scale, shift)
            normed: torch.Tensor = torch.func.functional_call(self.get_base_layer(), weights, (x, *args), kwargs)
            return normed
        output: torch.Tensor = self.base_layer(x, *args, **kwargs)
        return self._after(output, scale, shift)

    def _after(self, output: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor | None) -> torch.Tensor:
        if isinstance(self.get_base_layer(), CONVOLUTIONS):
            spatial = (1,) * self.get_base_layer().weight[0, 0].dim()
            scale = scale.view(-1, *spatial)
            shift = None if shift is None else shift.view(-1, *spatial)
        if is_half(output.dtype):
            # Scales close to 1 are rounded to 1 in half precision; what they differ from 1 is not.
            output = torch.addcmul(output, output, (scale - 1).to(output.dtype))
            return output if shift is None else output + shift.to(output.dtype)
        scale = scale.to(output.dtype)
        if shift is None:
            return output * scale if torch.is_grad_enabled() else output.mul_(scale)
        shift = shift.to(output.dtype)
        if torch.is_grad_enabled():
            return torch.addcmul(shift, output, scale)
        return torch.addcmul(shift, output, scale, out=output)  # the layer's output is nobody else's: no new memory

    def _affine(self, scale: torch.Tensor, shift: torch.Tensor | None) -> dict[str, torch.Tensor]:
        base: Any = self.get_base_layer()
        weight, bias = base.weight, getattr(base, "bias", None)
        weights = {"weight": ((weight + self._offset) * scale - self._offset).to(weight.dtype)}
        if bias is not None:
            scaled = bias * scale
            weights["bias"] = (scaled if shift is None else scaled + shift).to(bias.dtype)
        elif shift is not None:
            weights["bias"] = shift.to(weight.dtype)
        return weights

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Fold adapters into weight and bias. A layer without bias gains one where an adapter shifts it.

        Raises:
            ValueError: the base layer is quantized; or, with `safe_merge`, an adapter has values that are not finite.
        """
        if not has_plain_weight(self.get_base_layer()):
            raise ValueError(
                "SSF is not merged into quantized weights: dequantize the base, load the adapter, then merge."
            )
        for name in check_adapters_to_merge(self, adapter_names):
            if name not in self.ssf_scale:
                continue
            with torch.no_grad():
                scale, shift = self._composed([name])
                assert scale is not None
                folded = self._folded(scale, shift)
            if safe_merge and not all(bool(torch.isfinite(value).all()) for value in folded.values()):
                raise ValueError(f"the adapter {name} has values that are not finite")
            self._set(folded)
            self.merged_adapters.append(name)

    def _folded(self, scale: torch.Tensor, shift: torch.Tensor | None) -> dict[str, torch.Tensor]:
        base: Any = self.get_base_layer()
        if is_norm(base):
            return self._affine(scale, shift)
        weight = base.weight
        shape = (-1,) if isinstance(base, Conv1D) else (-1, *(1,) * (weight.dim() - 1))
        folded = {"weight": (weight * scale.view(shape)).to(weight.dtype)}
        if base.bias is not None:
            scaled = base.bias * scale
            folded["bias"] = (scaled if shift is None else scaled + shift).to(weight.dtype)
        elif shift is not None:
            folded["bias"] = shift.detach().clone().to(weight.dtype)
        return folded

    def _set(self, folded: dict[str, torch.Tensor]) -> None:
        base: Any = self.get_base_layer()
        for key, value in folded.items():
            parameter = getattr(base, key)
            if parameter is None:
                base.register_parameter(key, nn.Parameter(value, requires_grad=False))
                self._gained_bias = True
            else:
                parameter.data = value.detach()

    def unmerge(self) -> None:
        """Take merged adapters out again, last first.

        Raises:
            ValueError: a scale is zero, so that the weight it was folded into cannot be had back.
        """
        while self.merged_adapters:
            name = self.merged_adapters[-1]
            with torch.no_grad():
                scale, shift = self._composed([name])
                assert scale is not None
                if not bool((scale != 0).all()):
                    raise ValueError(f"the adapter {name} has a scale of zero and cannot be unmerged")
                inverse = 1 / scale
                self._set(self._folded(inverse, None if shift is None else -shift * inverse))
            self.merged_adapters.pop()
        if self._gained_bias:
            self.get_base_layer().bias = None
            self._gained_bias = False

    def __repr__(self) -> str:
        return f"ssf.{super().__repr__()}"


def _adds_one(module: nn.Module) -> bool:
    """Return whether a norm multiplies by 1 + weight (as Gemma's does), judged by its output with a weight of zero."""
    weight: Any = module.weight
    if weight.device.type == "meta":
        return "Gemma" in type(module).__name__
    with torch.no_grad():
        output = torch.func.functional_call(
            module, {"weight": torch.zeros_like(weight)}, (torch.ones_like(weight)[None],)
        )
    return bool(output.abs().max() > 0)
