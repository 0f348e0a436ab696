"""The checkpoints of a run: how many there will be, and their bytes on disk."""

from __future__ import annotations

import math

from adapt_core.capabilities import Memory
from adapt_core.config.plan import Plan


def disk_bytes(plan: Plan, memory: Memory, steps: int, *, adapter: bool, exports: bool) -> int:
    """Return the most bytes of checkpoints and saved model at one time. An old checkpoint goes after a new one."""
    training = plan.training
    saved = memory.gradients if adapter else memory.weights  # as many bytes as the trainable tensors
    newest = training.keep == "soup"  # beside the best ones
    kept = min(_saves(plan, steps), training.no_of_checkpoints + 1 + newest) if training.do_train else 0
    return kept * (saved + memory.optimizer) + (memory.weights if exports else 0) + (saved if adapter else 0)


def soup_warnings(plan: Plan, steps: int) -> list[str]:
    """Return what a reader must know of KEEP: soup before the run: that it will have nothing to average."""
    if plan.training.keep != "soup" or not steps or _saves(plan, steps) > 1:
        return []
    return ["KEEP: soup: this run makes one checkpoint, and averages none: raise EPOCHS or lower INTERVAL_STEPS."]


def _saves(plan: Plan, steps: int) -> int:
    training = plan.training
    last = bool(steps % training.interval_steps)  # it is saved, too
    by_steps = steps // training.interval_steps + last
    return {"no": 0, "epoch": math.ceil(training.epochs), "steps": by_steps}[training.interval]
