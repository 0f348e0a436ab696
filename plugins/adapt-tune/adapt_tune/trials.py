"""One run of a trial: a run of adapt with a BUDGET, in a folder of its own."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path
from typing import Any

import attrs

from adapt_core.api import run_plan
from adapt_core.config.metrics import metrics_of
from adapt_core.config.plan import Plan
from adapt_core.config.resolver import resolve
from adapt_core.errors import InputError
from adapt_core.evaluation import deciding_metric, direction_of
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.runtime.progress import VERBOSITY

from adapt_tune.space import Space
from adapt_tune.study import TrialRun

log = logging.getLogger(__name__)


@attrs.frozen
class Trial:
    """Settings to run.

    Attributes:
        number: in the study.
        settings: on top of the config.
        again: whether it has run on this rung before, for too short a time.
    """

    number: int
    settings: Mapping[str, Any]
    again: bool = False


def run_trial(space: Space, registry: Registry, trial: Trial, folder: Path, rung: int, seconds: float) -> TrialRun:
    """Run a trial for so many seconds, evaluation and saving included.

    Only the first run measures the model before training. Settings that cannot train (memory, a loss that is not
    finite, choices that contradict each other) are a failed trial.

    Raises:
        InputError: of the first run, which has the config as it stands.
    """
    started = time.monotonic()
    first = not (trial.number or rung or trial.again)
    run = run_of(trial, rung)
    try:
        plan = resolve(space.with_settings(trial.settings), registry)
        with quiet():
            result = run_plan(trial_plan(plan, folder / run.folder, seconds, first=first), registry)
    except InputError as error:
        if first:
            raise
        return attrs.evolve(run, failed=str(error), seconds=time.monotonic() - started)
    return measured(run, result, plan, registry, time.monotonic() - started)


def run_of(trial: Trial, rung: int) -> TrialRun:
    """Return the run of a trial on a rung, before it has reached anything."""
    name = f"trial-{trial.number}" + (f"-rung-{rung}" if rung else "") + ("-again" if trial.again else "")
    return TrialRun(trial=trial.number, rung=rung, folder=name, settings=dict(trial.settings))


def trial_plan(plan: Plan, folder: Path, seconds: float, *, first: bool) -> Plan:
    """Return the plan of a trial's run: nothing is exported, uploaded or tracked, and checks of the data run once.

    Args:
        plan: with the trial's settings.
        folder: of the run.
        seconds: its time.
        first: whether it is the first run of the search.
    """
    training, run = plan.training, plan.run
    evaluated = training.keeps_best or training.early_stopping_patience
    return attrs.evolve(
        plan,
        output_dir=str(folder),
        resume=None,
        exporters=(),
        remarks=(),
        training=attrs.evolve(
            training,
            budget=f"{seconds:.2f}s",
            evaluate_before=first and training.evaluate_before,
            interval=training.interval if evaluated else "no",
        ),
        run=attrs.evolve(
            run,
            overwrite_output_dir=True,
            export=(),
            push_to_hub=None,
            do_predict=False,
            trackers=(),
            verdict=run.verdict if first else ("none",),
        ),
    )


def measured(run: TrialRun, result: RunResult, plan: Plan, registry: Registry, seconds: float) -> TrialRun:
    """Return a run with what it reached.

    Raises:
        InputError: it was not evaluated: there is no validation split.
    """
    after = result.metrics.get("after")
    if not after:
        raise InputError("adapt tune decides by a metric on the validation split, and there is none. Add one.")
    metric, direction = deciding(plan, registry, after)
    value = float(after[metric])
    reached = attrs.evolve(run, steps=result.steps, planned_steps=result.planned_steps, seconds=seconds)
    reached = attrs.evolve(reached, train_seconds=result.train_seconds)
    if not math.isfinite(value):
        return attrs.evolve(reached, failed=f"{metric} is not finite")
    low, high = result.intervals.get("after", {}).get(metric, (value, value))
    higher = direction == "higher"
    return attrs.evolve(
        reached,
        metric=metric,
        value=value,
        score=value if higher else -value,
        margin=value - low if higher else high - value,
        loss=after.get("loss"),
    )


def deciding(plan: Plan, registry: Registry, values: Mapping[str, float]) -> tuple[str, str]:
    """Return the metric that decides, of those that were measured, and whether "higher" or "lower" is better."""
    directions = {"loss": "lower", **metrics_of(plan, registry)}
    metric = deciding_metric(values, directions, plan.training.metric_for_best)
    return metric, direction_of(metric, directions) or "higher"


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what runs tell of themselves, unless -v was given."""
    before = environ.get(VERBOSITY)
    if before != "verbose":
        environ[VERBOSITY] = "quiet"
    try:
        yield
    finally:
        if before is None:
            environ.pop(VERBOSITY, None)
        else:
            environ[VERBOSITY] = before
