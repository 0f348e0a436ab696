"""The final run of a search: the chosen settings, in the time that is left."""

from __future__ import annotations

import logging
import time

import attrs

from adapt_core.api import run_plan
from adapt_core.config.plan import Plan
from adapt_core.config.resolver import resolve
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.checkpoints import newest_complete
from adapt_core.run_folder.paths import RunFolder

from adapt_tune.space import Space
from adapt_tune.study import TrialRun
from adapt_tune.trials import measured

log = logging.getLogger(__name__)

FINAL = "final"
"""Its folder, in that of the search."""
LEAST_SECONDS = 1.0


def train_final(space: Space, registry: Registry, chosen: TrialRun, folder: RunFolder, seconds: float) -> TrialRun:
    """Train with the settings of a run for so many seconds, and return what came of it.

    An interrupted one goes on from its newest checkpoint, with the steps that had been fitted.

    Args:
        space: the config.
        registry: the plugins.
        chosen: whose settings are taken.
        folder: of the run.
        seconds: its time.
    """
    started = time.monotonic()
    run = TrialRun(trial=chosen.trial, rung=-1, folder=folder.path.name, settings=dict(chosen.settings))
    try:
        plan = _plan(resolve(space.with_settings(chosen.settings), registry), folder, max(seconds, LEAST_SECONDS))
        return measured(run, run_plan(plan, registry), plan, registry, time.monotonic() - started)
    except InputError as error:
        log.warning("the final run has failed: %s", error)
        return attrs.evolve(run, failed=str(error), seconds=time.monotonic() - started)


def _plan(plan: Plan, folder: RunFolder, seconds: float) -> Plan:
    goes_on = folder.started() and folder.finished() is None and newest_complete(folder.checkpoints) is not None
    budget = str(folder.stored_keys()["BUDGET"]) if goes_on else f"{seconds:.2f}s"
    return attrs.evolve(
        plan,
        output_dir=str(folder.path),
        resume="auto" if goes_on else None,
        training=attrs.evolve(plan.training, budget=budget, evaluate_before=False),
        run=attrs.evolve(plan.run, overwrite_output_dir=not goes_on),
    )
