"""The memory of each process of a run, under every launcher that could run it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.capabilities import Memory, StoredBytes, SupportsRankMemory
from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registered, Registry
from adapt_core.plugin.specs import LauncherSpec

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class RankRange:
    """Processes that hold as many bytes as each other.

    Attributes:
        launcher: its name.
        first_rank, last_rank: the processes, all between them included.
        memory: what each of them holds.
    """

    launcher: str
    first_rank: int
    last_rank: int
    memory: Memory


def rank_ranges(
    plan: Plan,
    registry: Registry,
    model: nn.Module,
    quantized: Mapping[str, StoredBytes],
    whole: Memory,
) -> list[RankRange]:
    """Return the rank ranges of each launcher, in the order of ranks.

    A launcher that the plan did not choose counts with its own defaults, but for the number of processes where the
    plan has several.

    Args:
        plan: the plan.
        registry: the launchers to compare.
        model: with the method attached, its tensors on "meta".
        quantized: full names (of the plain model) of parameters that will be quantized -> what they take.
        whole: the memory of one process that runs the plan alone.
    """
    counting = [
        (name, launcher) for name, launcher in _launchers(plan, registry) if isinstance(launcher, SupportsRankMemory)
    ]
    planned = next((launcher.processes() for name, launcher in counting if name == plan.launcher.name), 1)
    found = []
    for name, launcher in counting:
        processes = planned if planned > 1 else launcher.processes()
        ranks = enumerate(launcher.on_each_rank(model, quantized, whole, plan, processes))
        for memory, group in groupby(ranks, key=lambda ranked: ranked[1]):
            numbers = [rank for rank, _ in group]
            found.append(RankRange(launcher=name, first_rank=numbers[0], last_rank=numbers[-1], memory=memory))
    return found


def _launchers(plan: Plan, registry: Registry) -> list[tuple[str, object]]:
    """Each launcher that serves the plan's loop, constructed."""
    serving = [item for item in registry.launchers if not item.spec.loops or plan.loop in item.spec.loops]
    made = [(item.spec.name, _constructed(item, plan)) for item in serving]
    return [(name, launcher) for name, launcher in made if launcher is not None]


def _constructed(item: Registered[LauncherSpec], plan: Plan) -> Any:
    if item.spec.name == plan.launcher.name:
        return item.spec.load()(plan.launcher.params)
    try:
        params = item.params_class()
        if any(field.default is attrs.NOTHING for field in attrs.fields(params)):
            return None
        return item.spec.load()(params())
    except (InputError, ImportError, AttributeError) as error:
        # The run does not ask for it: `adapt plugins` reports a broken one.
        log.info("memory under %s is not known: %s", item.spec.name, error)
        return None
