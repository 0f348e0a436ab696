"""The learning rate's schedule: from the specification's keys to mmengine's schedulers, counted in optimizer steps."""

from __future__ import annotations

import logging
import math
from typing import Any

from adapt_core.config.plan import Plan

log = logging.getLogger(__name__)

_POLYNOMIAL_END = 1e-7
"""transformers' `lr_end` of the schedule polynomial."""


def schedulers(plan: Plan, steps_per_epoch: float, total_steps: int) -> list[dict[str, Any]]:
    """mmengine scheduler configs for a plan.

    Args:
        plan: BEGIN, END, T_MAX, MILESTONES (epochs), GAMMA, WARMUP, WARMUP_RATIO, WARMUP_ITERS, SCHEDULER_TYPE.
        steps_per_epoch: optimizer steps in an epoch.
        total_steps: of the whole run.

    Returns:
        each with `by_epoch: False`; warm-up first.
    """
    params: Any = plan.task.params
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
        made += _decay(kind, plan, steps_per_epoch, begin, end)
    return made


def _decay(kind: str, plan: Plan, steps_per_epoch: float, begin: int, end: int) -> list[dict[str, Any]]:
    params: Any = plan.task.params
    place = {"by_epoch": False, "begin": begin, "end": end}
    # mmengine's LinearLR and PolyLR arrive one step before their end; a run's last step would be at rate 0.
    arriving = {**place, "end": end + 1}
    period = max(1, round(params.t_max * steps_per_epoch)) if params.t_max else end - begin
    if kind == "linear":
        return [{"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.0, **arriving}]
    if kind == "LinearLR":
        return [{"type": "LinearLR", **place}]
    if kind in ("cosine", "CosineAnnealingLR"):
        return [{"type": "CosineAnnealingLR", "T_max": period, "eta_min": 0.0, **place}]
    if kind == "cosine_with_restarts":
        count = max(1, math.ceil((end - begin) / period))
        return [
            {
                "type": "CosineRestartLR",
                "periods": [period] * count,
                "restart_weights": [1.0] * count,
                "eta_min": 0.0,
                **place,
            }
        ]
    if kind == "polynomial":
        return [{"type": "PolyLR", "power": 1.0, "eta_min": _POLYNOMIAL_END, **arriving}]
    if kind == "MultiStepLR":
        milestones = [round(epoch * steps_per_epoch) - begin for epoch in params.milestones]
        return [{"type": "MultiStepLR", "milestones": milestones, "gamma": params.gamma, **place}]
    return []
