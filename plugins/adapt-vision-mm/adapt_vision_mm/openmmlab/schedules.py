"""The learning rate schedule: the specification's keys as mmengine schedulers, in optimizer steps."""

from __future__ import annotations

import logging
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.plugin.import_strings import is_import_string

if TYPE_CHECKING:
    from adapt_vision_mm.mm_params import MmParams

log = logging.getLogger(__name__)

_POLYNOMIAL_END = 1e-7
"""`lr_end` of the polynomial schedule in transformers."""

_ARRIVAL = 1
"""Steps by which `end` is moved for a schedule to have its final value at `end`.

mmengine's schedulers do nothing from `end` on. Its LinearLR and PolyLR have their final value one step before, so that
the last step of a decay would be at rate 0, and a warm-up of one step would never leave its first rate. Its cosine
stops short of the final value.
"""
_COSINES = ("cosine", "CosineAnnealingLR")


def schedulers(plan: Plan[MmParams], steps_per_epoch: Fraction | int, total_steps: int) -> list[dict[str, Any]]:
    """Return the mmengine scheduler configs of a plan.

    Every number in them counts optimizer steps, of which the first is 0. An epoch of BEGIN, END or MILESTONES becomes
    the first step that begins in it: under GRADIENT_ACCUMULATION_STEPS an epoch need not be a whole number of steps.

    Args:
        plan: BEGIN, END, T_MAX, MILESTONES (epochs), GAMMA, WARMUP, WARMUP_RATIO, WARMUP_ITERS, SCHEDULER_TYPE.
        steps_per_epoch: optimizer steps in an epoch.
        total_steps: of the whole run.

    Returns:
        each with `by_epoch: False`; warm-up first.
    """
    params, kind = plan.task.params, plan.training.scheduler_type
    begin = min(math.ceil(params.begin * steps_per_epoch), total_steps)
    end = min(math.ceil(params.end * steps_per_epoch), total_steps)
    if is_import_string(kind):
        training = plan.training
        settings = {"schedule": kind, "options": training.scheduler_options or {}, "lr": training.lr}
        return [{"type": "NamedLR", **settings, "steps": total_steps, "by_epoch": False}]
    made: list[dict[str, Any]] = []
    if _warms_up(plan):
        span = {"by_epoch": False, "begin": 0, "end": params.warmup_iters + _ARRIVAL}
        made.append({"type": "LinearLR", "start_factor": params.warmup_ratio, **span})
    if kind == "MultiStepLR":
        steps = [math.ceil(epoch * steps_per_epoch) for epoch in params.milestones]
        return made + ([_multi_step(steps, params.gamma, begin, end)] if end > begin else [])
    if _warms_up(plan):
        begin = max(begin, min(params.warmup_iters, total_steps))
    if end > begin:
        made += _decay(kind, params, steps_per_epoch, begin, end)
    return made


def surprises(plan: Plan[MmParams], steps_per_epoch: Fraction | int, total_steps: int) -> list[str]:
    """Return what a schedule does that its author may not expect: rates of 0, a warm-up that does not end."""
    params, training = plan.task.params, plan.training
    found: list[str] = []
    if params.end > training.epochs and params.end != attrs.fields(type(params)).end.default:
        log.info("END %d is beyond EPOCHS %g: the schedule ends with the run", params.end, training.epochs)
    if _warms_up(plan) and params.warmup_iters >= total_steps:
        found.append(
            f"WARMUP_ITERS: {params.warmup_iters} steps, and the run has {total_steps}: LR is never reached. "
            "Lower WARMUP_ITERS."
        )
    still = _first_step_without_rate(plan, steps_per_epoch, total_steps)
    if still is not None and still < total_steps:
        key = "T_MAX" if params.t_max and training.scheduler_type in _COSINES else "END"
        found.append(
            f"the learning rate is 0 from step {still} of {total_steps} on, and nothing is learned there: raise {key}, "
            "or lower EPOCHS."
        )
    if training.scheduler_type == "MultiStepLR":
        end = min(math.ceil(params.end * steps_per_epoch), total_steps)
        late = [epoch for epoch in params.milestones if math.ceil(epoch * steps_per_epoch) >= end]
        if late:
            found.append(
                f"MILESTONES: {', '.join(map(str, late))}: not before END or the end of the run, without effect. "
                "Lower them."
            )
    return found


def _warms_up(plan: Plan[MmParams]) -> bool:
    return plan.task.params.warmup or plan.training.scheduler_type == "constant_with_warmup"


def _first_step_without_rate(plan: Plan[MmParams], steps_per_epoch: Fraction | int, total_steps: int) -> int | None:
    for made in schedulers(plan, steps_per_epoch, total_steps):
        ends_at_zero = made.get("eta_min") == 0.0 and made["type"] == "CosineAnnealingLR"
        if ends_at_zero or made.get("end_factor") == 0.0:
            last: int = made["end"] - _ARRIVAL
            reached = made["begin"] + made.get("T_max", last - made["begin"])
            return reached if reached <= last else None
    return None


def _multi_step(milestones: list[int], gamma: float, begin: int, end: int) -> dict[str, Any]:
    """Return MultiStepLR with milestones from the beginning of the run: mmengine counts them from `begin`.

    Those before `begin`, up to which LR is held, take effect there. A warm-up runs beside it and delays none.
    """
    counted = [max(step, begin) - begin for step in milestones if step < end]
    return {"type": "MultiStepLR", "milestones": counted, "gamma": gamma, "by_epoch": False, "begin": begin, "end": end}


def _decay(kind: str, params: MmParams, steps_per_epoch: Fraction | int, begin: int, end: int) -> list[dict[str, Any]]:
    span = {"by_epoch": False, "begin": begin, "end": end}
    arriving = {**span, "end": end + _ARRIVAL}
    period = max(1, math.ceil(params.t_max * steps_per_epoch)) if params.t_max else end - begin
    if kind == "linear":
        return [{"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.0, **arriving}]
    if kind == "LinearLR":
        return [{"type": "LinearLR", **span}]
    if kind in _COSINES:
        # Behind T_max the cosine would climb to LR again.
        until_zero = {**arriving, "end": min(begin + period, end) + _ARRIVAL}
        return [{"type": "CosineAnnealingLR", "T_max": period, "eta_min": 0.0, **until_zero}]
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
    return []
