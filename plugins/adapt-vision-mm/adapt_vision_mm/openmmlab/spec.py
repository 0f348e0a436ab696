"""The optimizers and schedules of the OpenMMLab loop. Imports nothing heavy."""

from __future__ import annotations

from adapt_core.hf.loop.spec import HF_LOOP
from adapt_core.plugin.specs import LoopSpec

MM_LOOP = LoopSpec(
    name="mm",
    optimizers=HF_LOOP.optimizers,
    schedules=(*HF_LOOP.schedules, "MultiStepLR", "LinearLR", "CosineAnnealingLR"),
    averages=True,
    accelerators=("cuda",),  # mmcv's operators have kernels for it and for the CPU
)
