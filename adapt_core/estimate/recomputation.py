"""GRADIENT_CHECKPOINTING: auto: what is computed again in the backward pass, the cheapest that leaves a run room."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

import attrs

from adapt_core.config.backward_steps import LOOP
from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.estimate.activations import Recomputed
from adapt_core.estimate.batch_size import Fit, Room, fit_batch_size, largest_fit, with_batch
from adapt_core.plugin.registry import Registry
from adapt_core.runtime.format import size

log = logging.getLogger(__name__)

KEYS: Mapping[Recomputed, tuple[str, ...]] = MappingProxyType(
    {
        Recomputed.NOTHING: (),
        Recomputed.MLP: ("RECOMPUTE_MLP",),
        Recomputed.ALL_BUT_ATTENTION: ("GRADIENT_CHECKPOINTING", "KEEP_ATTENTION"),
        Recomputed.BLOCKS: ("GRADIENT_CHECKPOINTING",),
    }
)
"""What can be recomputed, in the order of the time that it takes, and the keys that say so."""
_WORDS = {
    Recomputed.NOTHING: "nothing is recomputed",
    Recomputed.MLP: "gated layers are recomputed (RECOMPUTE_MLP)",
    Recomputed.ALL_BUT_ATTENTION: "blocks are recomputed, attention is kept (KEEP_ATTENTION)",
    Recomputed.BLOCKS: "blocks are recomputed",
}


@attrs.frozen(kw_only=True)
class FittedPlan:
    """A plan with what memory decided, and that in words.

    Attributes:
        plan: the plan.
        batch_size: what FIT_BATCH_SIZE chose; None without it.
        recomputation: what FIT_RECOMPUTATION chose; None without it.
    """

    plan: Plan
    batch_size: str | None = None
    recomputation: str | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was chosen, for the log."""
        return tuple(line for line in (self.recomputation, self.batch_size) if line is not None)


def fit_memory(plan: Plan, registry: Registry) -> FittedPlan:
    """Return a plan with the batch size and the recomputation that memory allows, as far as it decides them.

    Where it decides both, the cheapest recomputation is chosen with which there is room for one row at a time.

    Args:
        plan: with FIT_BATCH_SIZE, FIT_RECOMPUTATION or neither.
        registry: for the task and the launchers.

    Raises:
        InputError, DataError: what the run would refuse; there is no room; or memory cannot be foretold.
    """
    training = plan.training
    if training.fit_recomputation:
        return _recomputing(plan, registry)
    if not training.fit_batch_size:
        return FittedPlan(plan=plan)
    fit = fit_batch_size(plan, registry)
    return FittedPlan(plan=with_batch(plan, fit.batch_size, fit.accumulation), batch_size=str(fit))


def with_recomputed(plan: Plan, keys: Collection[str]) -> Plan:
    """Return a plan in which these keys of what is recomputed are true, and no others."""
    training = attrs.evolve(
        plan.training,
        gradient_checkpointing="GRADIENT_CHECKPOINTING" in keys,
        keep_attention="KEEP_ATTENTION" in keys,
        recompute_mlp="RECOMPUTE_MLP" in keys,
    )
    return attrs.evolve(plan, training=training)


def with_more_recomputed(plan: Plan, registry: Registry) -> Plan | None:
    """Return a plan that recomputes more than one whose memory ran out, and holds less; None where there is none."""
    every, now = list(KEYS), Recomputed.of(plan.training)
    fixed = attrs.evolve(plan, training=attrs.evolve(plan.training, fit_batch_size=False))
    held: int | None = None
    for recomputed, fit in _fits(fixed, registry):
        if recomputed is now:
            held = fit.needed
        elif every.index(recomputed) > every.index(now) and (held is None or fit.needed < held):
            return with_recomputed(plan, KEYS[recomputed])
    return None


def _recomputing(plan: Plan, registry: Registry) -> FittedPlan:
    found: dict[Recomputed, Fit] = {}
    fits = _fits(plan, registry)
    for recomputed, fit in fits:
        found[recomputed] = fit
        if fit.is_room:
            break
    if not found:
        raise InputError(
            f"GRADIENT_CHECKPOINTING auto: the memory of {plan.task.name} with this model cannot be foretold. "
            "Set it to true or false."
        )
    whole = found.get(Recomputed.NOTHING)
    if not fit.is_room:
        least = min(found.values(), key=lambda one: one.needed)
        raise InputError(
            f"GRADIENT_CHECKPOINTING auto: about {size(least.needed)} are needed whatever is recomputed, and "
            f"{size(least.free)} are free ({least.device}). Lower BATCH_SIZE (or set it to auto), or train an adapter "
            "(LoRA) on a 4-bit base."
        )
    if recomputed is Recomputed.ALL_BUT_ATTENTION and next(fits, None) == (Recomputed.BLOCKS, fit):
        recomputed = Recomputed.BLOCKS  # the model has no fused attention whose results could be kept
    chosen = with_batch(with_recomputed(plan, KEYS[recomputed]), fit.batch_size, fit.accumulation)
    beside = "" if whole in (None, fit) else f"; with nothing recomputed about {size(whole.needed)}"
    return FittedPlan(
        plan=chosen,
        batch_size=str(fit) if plan.training.fit_batch_size else None,
        recomputation=f"GRADIENT_CHECKPOINTING auto: {_WORDS[recomputed]}: {fit.memory}{beside}",
    )


def _fits(plan: Plan, registry: Registry) -> Iterator[tuple[Recomputed, Fit]]:
    """Yield what a run can recompute, the cheapest first, with what it then holds."""
    room = Room.of(plan)
    for recomputed in _possible(plan, registry):
        try:
            fit = largest_fit(with_recomputed(plan, KEYS[recomputed]), registry, room)
        except InputError as error:
            if recomputed is Recomputed.NOTHING:
                raise
            log.debug("GRADIENT_CHECKPOINTING auto: not %s: %s", recomputed.name, error)
            continue
        if fit is None:
            if recomputed is Recomputed.NOTHING:
                return
            continue
        yield recomputed, fit


def _possible(plan: Plan, registry: Registry) -> Iterator[Recomputed]:
    training, of_the_trainer = plan.training, plan.loop == LOOP
    launcher = registry.launchers.find(plan.launcher.name)
    yield Recomputed.NOTHING
    if of_the_trainer and training.lean_layers and not training.compile:
        yield Recomputed.MLP
    if of_the_trainer and not (launcher is not None and launcher.spec.shards_layers):
        yield Recomputed.ALL_BUT_ATTENTION
    yield Recomputed.BLOCKS
