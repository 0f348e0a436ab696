"""flash_attention2: used where possible; otherwise the log gives the reason.

T. Dao: FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning. ICLR 2024.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.distributed.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel
    from transformers.models.auto.auto_factory import _BaseAutoModelClass

_FIRST_CAPABILITY = 8
"""Compute capability of the first GPUs (Ampere) that flash-attn 2 supports."""

log = logging.getLogger(__name__)


def attention_options(
    plan: Plan, world: World, model_class: Callable[[], type[PreTrainedModel] | None]
) -> dict[str, Any]:
    """Return the argument of `from_pretrained` that enables flash attention, or none, with the reason in the log.

    Args:
        plan: for flash_attention2 and the precision.
        world: for the device.
        model_class: returns the model's class, or None where it is not known; called only with flash_attention2.
    """
    if not plan.task.params.flash_attention2:
        return {}
    reason = _why_not(plan, world, model_class())
    if reason is None:
        return {"attn_implementation": "flash_attention_2"}
    log.warning("flash_attention2 is not used: %s. The model uses its default attention.", reason)
    return {}


def _why_not(plan: Plan, world: World, model_class: type[PreTrainedModel] | None) -> str | None:
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


def class_of(auto_class: type[_BaseAutoModelClass], config: PreTrainedConfig) -> type[PreTrainedModel] | None:
    """Return the class that an Auto class builds for a config, or None where the model has code of its own."""
    found: Any = auto_class._model_mapping.get(type(config), None)
    model_class: type[PreTrainedModel] | None = found[0] if isinstance(found, tuple) else found
    return model_class
