"""flash_attention2: used where it can be, never a crash where it cannot."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

from adapt_core.contracts import World
from adapt_core.plan import Plan

log = logging.getLogger(__name__)


def attention_options(plan: Plan, world: World) -> dict[str, Any]:
    """The argument of `from_pretrained` that turns flash attention on, or none with the reason in the log."""
    if not plan.task.params.flash_attention2:
        return {}
    if not world.device.startswith("cuda"):
        reason = "it needs a GPU"
    elif find_spec("flash_attn") is None:
        reason = "the package flash-attn is not installed (pip install flash-attn)"
    elif not (plan.training.bf16 or plan.training.fp16 or plan.model.dtype in ("float16", "bfloat16")):
        reason = "it needs half precision (BF16, FP16 or DTYPE)"
    else:
        return {"attn_implementation": "flash_attention_2"}
    log.warning("flash_attention2 is not used: %s. The model's default attention is.", reason)
    return {}
