"""The method SSF."""

from __future__ import annotations

from collections.abc import Sequence

from peft import PeftConfig
from torch import nn

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError

from adapt_peft_ssf.methods.adapter import AdapterMethod
from adapt_peft_ssf.params import SsfParams
from adapt_peft_ssf.ssf import SsfConfig
from adapt_peft_ssf.ssf.layer import refusal


class Ssf(AdapterMethod[SsfParams]):
    """SSF: scaling and shifting features (Lian et al., 2022, arXiv:2210.08823), one pair for each output channel."""

    name = "SSF"

    def __init__(self, params: SsfParams) -> None:
        super().__init__(params)
        start = params.init_ssf_weights
        self._start = start if isinstance(start, bool) else start.strip().casefold()

    def check_params(self, context: AttachContext) -> None:
        """Check that `init_ssf_weights` is a known start."""
        if self._start not in (True, "identity", "random"):
            raise InputError(
                "init_ssf_weights must be true (start as the base model) or random (the paper's start); "
                f"not {self.params.init_ssf_weights!r}."
            )

    def by_default(self, module: nn.Module) -> bool:
        """Choose every linear, convolution and norm layer that has a weight."""
        return not isinstance(module, (nn.Conv1d, nn.Conv3d)) and refusal(module) is None

    def refusal(self, module: nn.Module) -> str | None:
        """Return why a layer is refused: it is no linear, convolution or norm layer with a weight."""
        return refusal(module)

    def make_config(self, targets: list[str] | str, layers: Sequence[nn.Module], saved: list[str]) -> PeftConfig:
        """Return the config of the tuner in `adapt_peft_ssf.ssf`."""
        return SsfConfig(
            target_modules=targets,
            modules_to_save=saved or None,
            init_ssf_weights=self._start,
            shift_without_bias=self.params.ssf_shift_everywhere,
        )
