"""An 8-bit layer without three habits of bitsandbytes' own."""

from __future__ import annotations

import bitsandbytes as bnb
import torch


class Linear8bitLt(bnb.nn.Linear8bitLt):
    """bitsandbytes' layer, which keeps its scales when peft re-creates the weight, and leaves its bias as it is.

    peft's DoRA re-creates the weight on a CPU without its scales, and bitsandbytes would overwrite the ones it has
    with none. bitsandbytes casts the frozen bias to whatever type the inputs have, back and forth, rounding it. And it
    takes inputs of two or three dimensions only, where detectors stack their decoder's layers into a fourth.
    """

    def init_8bit_state(self) -> None:
        """Take codes and scales over from the weight; scales that the weight lacks stay as they were."""
        scales = self.state.SCB
        super().init_8bit_state()
        if self.state.SCB is None:
            self.state.SCB = scales

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs: (..., in_features) -> (..., out_features); the bias is added in the output's type."""
        if x.dim() > 3:
            return self.forward(x.flatten(0, -2)).view(*x.shape[:-1], -1)
        bias = self._parameters["bias"]
        self._parameters["bias"] = None
        try:
            output: torch.Tensor = super().forward(x)
        finally:
            self._parameters["bias"] = bias
        return output if bias is None else output + bias.to(output.dtype)
