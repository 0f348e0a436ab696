"""The data type of loaded weights, where the device computes the checkpoint's own slowly."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from adapt_core.distributed.devices import device_here, memory_bytes
from adapt_core.distributed.processor import slow_half_precision
from adapt_core.runtime.format import size

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.config.plan import Plan

_SHARE_OF_MEMORY = 0.5
"""The most of the machine's memory that float32 weights may take where the checkpoint's are half as large."""

log = logging.getLogger(__name__)


def widen_for_device(model: nn.Module, plan: Plan, device: str) -> None:
    """Make half-precision weights float32 in place where the device has no instructions for them (DTYPE auto).

    Each value stays what it is. Weights that would fill half of the machine's memory in float32 stay as they are.

    Args:
        model: as it was loaded, without quantized layers.
        plan: for DTYPE.
        device: where the model will compute; "meta" stands for this machine's own.
    """
    if plan.model.dtype != "auto":
        return
    from adapt_core.nn.precision import half_tensors, widen

    halves = half_tensors(model)
    if not halves:
        return
    dtype = str(halves[0].dtype).removeprefix("torch.")
    cost = slow_half_precision(dtype, device_here(plan) if device == "meta" else device)
    if cost is None:
        return
    widened = sum(4 * tensor.numel() for tensor in halves)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # torchrun's; each process holds the weights
    if here * widened > _SHARE_OF_MEMORY * memory_bytes():
        log.warning(
            "DTYPE auto: the weights stay %s, in which this processor is %.0f times slower than in float32: in float32 "
            "they would take %s, more than half of its memory.",
            *(dtype, cost, size(widened)),
        )
        return
    log.info(
        "DTYPE auto: the checkpoint's %s weights are held in float32, in which this processor is %.0f times faster.",
        *(dtype, cost),
    )
    widen(model)
