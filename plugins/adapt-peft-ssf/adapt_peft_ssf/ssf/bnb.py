"""SSF on bitsandbytes' 4- and 8-bit layers. Their weights are rounded, so nothing is folded into them."""

from __future__ import annotations

from typing import Any

import torch

from adapt_peft_ssf.ssf.layer import SsfLayer


class QuantizedSsfLayer(SsfLayer):
    """Scale and shift behind a quantized Linear."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The quantized layer's output, scaled and shifted."""
        output: torch.Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return output
        scale, shift = self._composed(self.active_adapters)
        return output if scale is None else self._after(output, scale, shift)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refused.

        Raises:
            ValueError: always, with the way that keeps the trained function.
        """
        raise ValueError("SSF is not folded into quantized weights: dequantize the base, load the adapter, then merge.")

    def unmerge(self) -> None:
        """Nothing was merged."""


def is_quantized_layer(module: torch.nn.Module) -> bool:
    """Whether a module is one of bitsandbytes' layers (told without importing bitsandbytes)."""
    return any(base.__module__.startswith("bitsandbytes") for base in type(module).__mro__)
