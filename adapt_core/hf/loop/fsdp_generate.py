"""Generation by a model whose weights are shared out among processes (FSDP 2)."""

from __future__ import annotations

from typing import Any


def generate_together(model: Any) -> None:
    """Lets `generate` gather weights as a forward pass does, in all processes as often as in the one that writes most.

    transformers sees to both for FSDP 1 alone. The model may have been prepared before.
    """
    from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method

    if not isinstance(model, FSDPModule) or not hasattr(model, "generate") or "generate" in vars(model):
        return
    for module in model.modules():  # type: ignore[attr-defined]
        if hasattr(module, "generate"):
            # What transformers asks whether processes must write on together.
            module._is_fsdp_managed_module = True
    register_fsdp_forward_method(model, "generate")  # type: ignore[arg-type]
