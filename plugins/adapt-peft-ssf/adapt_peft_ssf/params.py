"""The parameters of each method and quantizer (apart from their implementations, which import torch and peft)."""

from __future__ import annotations

import attrs

from adapt_core.parameters import param

_TARGETS = (
    "The modules that get an adapter: names, suffixes or regular expressions, or all-linear "
    "(default: every layer the method can take, but the head)."
)
_AUTO = "true: target_modules empty means every layer the method can take, which is the default."


@attrs.frozen
class TargetParams:
    """What every adapter method reads."""

    target_modules: str | tuple[str, ...] | None = param(None, _TARGETS)
    auto_select_modules: bool = param(True, _AUTO)


@attrs.frozen
class LoraParams(TargetParams):
    """Parameters of LoRA."""

    r: int = param(8, "Rank of the low-rank update.", ge=1)
    alpha: int = param(16, "Scale of the update: alpha / r multiplies it.", ge=1)
    dropout: float = param(0.1, "Dropout on the adapter's input while training.", ge=0, lt=1)
    fan_in_fan_out: bool = param(
        False, "Whether the adapted layers keep their weight as (in, out). Set by itself for Conv1D (GPT-2)."
    )
    init_lora_weights: bool | str = param(
        True,
        "Start of the update: true (zero), false (random), or a way of peft's own: gaussian, pissa, "
        "pissa_niter_N, olora, orthogonal.",
    )


@attrs.frozen
class DoraParams(LoraParams):
    """Parameters of DoRA: those of LoRA, with its own defaults."""

    r: int = param(16, "Rank of the low-rank update.", ge=1)
    alpha: int = param(8, "Scale of the update: alpha / r multiplies it.", ge=1)


@attrs.frozen
class SsfParams(TargetParams):
    """Parameters of SSF."""

    init_ssf_weights: bool | str = param(
        True, "Start: true (as the base model), or random (the paper's: scale around 1, shift around 0)."
    )
    ssf_shift_everywhere: bool = param(
        False,
        "Shift layers without a bias too. Merged, they gain a bias, which the model's own code does not load again "
        "(save with SAVE_METHOD full_torch_model, or only the adapter).",
    )
