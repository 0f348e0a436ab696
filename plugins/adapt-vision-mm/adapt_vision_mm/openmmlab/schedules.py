"""The learning rate schedule: the specification's keys as mmengine schedulers, in optimizer steps."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan

if TYPE_CHECKING:
    from adapt_vision_mm.mm_params import MmParams

log = logging.getLogger(__name__)

_POLYNOMIAL_END = 1e-7
"""`lr_end` of the polynomial schedule in transformers."""


def schedulers(plan: Plan[MmParams], steps_per_epoch: float, total_steps: int) -> list[dict[str, Any]]:
    """Return the mmengine scheduler configs of a plan.

    Args:
        plan: BEGIN, END, T_MAX, MILESTONES (epochs), GAMMA, WARMUP, WARMUP_RATIO, WARMUP_ITERS, SCHEDULER_TYPE.
        steps_per_epoch: optimizer steps in an epoch.
        total_steps: of the whole run.

    Returns:
        each with `by_epoch: False`; warm-up first.
    """
    params = plan.task.params
    begin = min(math.floor(params.begin * steps_per_epoch), total_steps)
    end = min(math.floor(params.end * steps_per_epoch), total_steps)
    if params.end > plan.training.epochs:
        log.info("END %d is beyond EPOCHS %g: the schedule ends with the run", params.end, plan.training.epochs)
    made: list[dict[str, Any]] = []
    kind = plan.training.scheduler_type
    if params.warmup or kind == "constant_with_warmup":
        made.append(
            {
                "type": "LinearLR",
                "start_factor": params.warmup_ratio,
                "by_epoch": False,
                "begin": 0,
                "end": params.warmup_iters,
            }
        )
        begin = max(begin, min(params.warmup_iters, total_steps))
    if end > begin:
        made += _decay(kind, params, steps_per_epoch, begin, end)
    return made


def _decay(kind: str, params: MmParams, steps_per_epoch: float, begin: int, end: int) -> list[dict[str, Any]]:
    span = {"by_epoch": False, "begin": begin, "end": end}
    # mmengine's LinearLR and PolyLR reach their final value one step early: the last step would be at rate 0.
    arriving = {**span, "end": end + 1}
    period = max(1, round(params.t_max * steps_per_epoch)) if params.t_max else end - begin
    if kind == "linear":
        return [{"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.0, **arriving}]
    if kind == "LinearLR":
        return [{"type": "LinearLR", **span}]
    if kind in ("cosine", "CosineAnnealingLR"):
        return [{"type": "CosineAnnealingLR", "T_max": period, "eta_min": 0.0, **span}]
    if kind == "cosine_with_restarts":
        count = max(1, math.ceil((end - begin) / period))
        return [
            {
                "type": "CosineRestartLR",
                "periods": [period] * count,
                "restart_weights": [1.0] * count,
                "eta_min": 0.0,
                **span,
            }
        ]
    if kind == "polynomial":
        return [{"type": "PolyLR", "power": 1.0, "eta_min": _POLYNOMIAL_END, **arriving}]
    if kind == "MultiStepLR":
        milestones = [round(epoch * steps_per_epoch) - begin for epoch in params.milestones]
        return [{"type": "MultiStepLR", "milestones": milestones, "gamma": params.gamma, **span}]
    return []
