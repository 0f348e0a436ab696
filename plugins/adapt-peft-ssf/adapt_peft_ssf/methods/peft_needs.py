"""What of peft needs more than to be constructed: methods and options that would silently do nothing, or fail at once.

Found by training each method of peft with each of its options changed, and comparing losses, saved and merged models
(peft 0.21.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapt_core.errors import InputError

from adapt_peft_ssf.methods.lora_options import REFUSED

METHODS: Mapping[str, str] = {
    "ADALORA": "its ranks are shared out while it trains, by calls and a loss that training loops must make; without "
    "them it is plain LoRA in another form (init_lora_weights: eva shares out the ranks before training)",
    "ADAPTION_PROMPT": "it adds prompts to the attention of a few models and adapts no layers",
    "POLY": "it needs the task of each row at every step",
    "SHADOW": "it returns another kind of output than the model's, which tasks cannot read",
    "TRAINABLE_TOKENS": "it adapts tokens alone (lora_options: {trainable_token_indices: [...]} does so beside LoRA)",
}
"""Method -> why it is refused."""

_SET_BY_LAYERS = "peft sets it by the kind of each layer"
_ASA = "it takes effect through a callback of peft's that training loops must call"

OPTIONS: Mapping[str, Mapping[str, str]] = {
    "ADAMSS": {
        "use_asa": _ASA,
        "asa_target_subspaces": _ASA,
        "init_warmup": _ASA,
        "final_warmup": _ASA,
        "mask_interval": _ASA,
        "asa_importance_beta": _ASA,
        "asa_uncertainty_beta": _ASA,
        "asa_schedule_exponent": _ASA,
    },
    "LORA": {**REFUSED, "loftq_config": "method LoRA has init_lora_weights: loftq"},
    "OFT": {"module_dropout": "peft's OFT makes this dropout and never applies it"},
    "PVERA": {"sample_at_inference": "the model would answer differently each time, and merged differently again"},
}
"""Method -> option -> why it is refused."""

_SWITCHES_OFF = (False, None, 0)


def refuse_what_needs_more(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a method of peft, or options of one, that need more than to be constructed.

    Args:
        name: the method, as peft's types are spelt.
        options: peft_options.

    Raises:
        InputError: with the reason.
    """
    if name in METHODS:
        raise InputError(f"peft_name: {name} is not taken: {METHODS[name]}. Use method LoRA.")
    for option, value in options.items():
        reason = OPTIONS.get(name, {}).get(option)
        if option == "fan_in_fan_out":
            reason = _SET_BY_LAYERS
        if reason is not None and value not in _SWITCHES_OFF:
            raise InputError(f"peft_options: {option} of {name} is without effect: {reason}. Leave it out.")
    if name == "BOFT" and int(options.get("boft_n_butterfly_factor", 1)) > 1 and not _has_gpu():
        raise InputError(
            "peft_options: boft_n_butterfly_factor above 1 needs a kernel for GPUs; without one peft sets it to 1. "
            "Leave it out."
        )


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
