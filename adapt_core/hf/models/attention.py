"""flash_attention2: used where it can be, never a crash where it cannot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.distributed.world import World

_FIRST_CAPABILITY = 8
"""Compute capability of the first GPUs (Ampere) that flash-attn 2 serves."""

log = logging.getLogger(__name__)


def attention_options(plan: Plan, world: World, model_class: Callable[[], Any]) -> dict[str, Any]:
    """The argument of `from_pretrained` that turns flash attention on, or none with the reason in the log.

    Args:
        plan: for flash_attention2 and the precision.
        world: for the device.
        model_class: the model's class, or None where it is not known; asked only where flash attention is wanted.
    """
    if not plan.task.params.flash_attention2:
        return {}
    reason = _why_not(plan, world, model_class())
    if reason is None:
        return {"attn_implementation": "flash_attention_2"}
    log.warning("flash_attention2 is not used: %s. The model's default attention is.", reason)
    return {}


def _why_not(plan: Plan, world: World, model_class: Any) -> str | None:
    if not world.device.startswith("cuda"):
        return "it needs a GPU"
    if model_class is None or not getattr(model_class, "_supports_flash_attn", False):
        return f"{model_class.__name__ if model_class else 'this model'} does not support it"
    if find_spec("flash_attn") is None:
        return "the package flash-attn is not installed (pip install flash-attn)"
    if not (plan.training.bf16 or plan.training.fp16 or plan.model.dtype in ("float16", "bfloat16")):
        return "it needs half precision (BF16, FP16 or DTYPE)"
    import torch
    from transformers.utils import is_flash_attn_2_available

    if torch.cuda.get_device_capability(world.device)[0] < _FIRST_CAPABILITY:
        return f"{torch.cuda.get_device_name(world.device)} is too old for it"
    return None if is_flash_attn_2_available() else "the installed flash-attn cannot be used here"


def class_of(auto_class: Any, config: Any) -> Any:
    """The class that an Auto class makes of a config, or None where the model brings its own code."""
    found = auto_class._model_mapping.get(type(config), None)
    return found[0] if isinstance(found, tuple) else found
