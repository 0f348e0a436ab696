"""The metrics that METRICS chooses beside those of the task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from adapt_core.config import known_keys
from adapt_core.config.core_params.training import TrainingParams
from adapt_core.config.listed import absent_requirements, has_params, look_up_listed
from adapt_core.config.plan import MetricChoice, Plan
from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection
from adapt_core.errors import Problem
from adapt_core.evaluation import OF_PLACE
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registered, Registry
from adapt_core.plugin.specs import TaskSpec

KEY = "metrics"


def select_metrics(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    """Look up the names in METRICS, and collect what is wrong with them. Needs no params of the task."""
    key = parameters_of(TrainingParams)[KEY]
    chosen = look_up_listed(registry.metrics, known_keys.METRICS, key, given, registry, selection)
    selection.metrics = tuple(item for item in chosen if has_params(item, given[KEY], selection))
    for item in selection.metrics:
        selection.problems += absent_requirements(item.spec.name, item.spec.requires, item.provenance, given[KEY])


def misfits(
    selection: Selection, task_params: object, places: Mapping[str, Given], registry: Registry
) -> list[Problem]:
    """Return what is wrong with metrics that do not score what the task predicts.

    Args:
        selection: the task and the metrics.
        task_params: of the task.
        places: folded key -> where it was given.
        registry: for the metrics that would fit.
    """
    if selection.task is None or not selection.metrics:
        return []
    spec = selection.task.spec
    kinds = spec.predictions_of(task_params)
    own = {name.casefold() for name in spec.metrics}
    place = places.get(KEY)
    problems = []
    for item in selection.metrics:
        if set(item.spec.kinds) & set(kinds) or {name.casefold() for name in item.spec.figures} <= own:
            continue
        fitting = sorted(one.spec.name for one in registry.metrics if set(one.spec.kinds) & set(kinds))
        scored, predicted = " or ".join(item.spec.kinds), " or ".join(kinds) or "nothing that metrics score"
        message = f"{item.spec.name} scores {scored}, and {spec.name} predicts {predicted} here."
        hint = f"There are: {', '.join(fitting)}." if fitting else "Leave METRICS out."
        at: dict[str, Any] = {"key": place.written if place else "METRICS", "where": place.where if place else None}
        problems.append(Problem(message, hint=hint, **at))
    return problems


def with_own_name(training: TrainingParams, selection: Selection, registry: Registry) -> TrainingParams:
    """Return the keys of training with the name in METRIC_FOR_BEST that a run reports, where an alias is given.

    Args:
        training: of a config.
        selection: the task and the metrics.
        registry: for the aliases.
    """
    if training.metric_for_best is None or selection.task is None:
        return training
    name, at, place = training.metric_for_best.removeprefix("eval_").partition(OF_PLACE)
    known = {one.casefold() for one in ("loss", *selection.task.spec.metrics, *selection.figures)}
    item = registry.metrics.find(name)
    if item is None or name.casefold() in known:
        return training
    meant = [figure for figure in item.spec.figures if figure.casefold() in known]
    return attrs.evolve(training, metric_for_best=f"{meant[0]}{at}{place}") if len(meant) == 1 else training


def metric_choice(item: Registered[MetricSpec], params: object) -> MetricChoice:
    """Return a registered metric as a plan's choice.

    Args:
        item: its spec and provenance.
        params: an instance of the spec's params class.
    """
    spec = item.spec
    return MetricChoice(
        name=spec.name,
        distribution=item.provenance.distribution,
        version=item.provenance.version,
        implementation=spec.implementation,
        params=params,
        kinds=spec.kinds,
        figures=spec.figures,
        direction=spec.direction,
        bounds=spec.bounds,
        mean_of_rows=spec.mean_of_rows,
    )


def directions(task: TaskSpec | None, chosen: Iterable[MetricChoice | MetricSpec]) -> dict[str, str]:
    """Return the metrics of a run with "higher" or "lower": the task's own, the deciding one first, then the chosen.

    Where a chosen metric has the name of one of the task's, the task's counts.
    """
    own = dict(task.metrics) if task is not None else {}
    return {**own, **_further(own, {name: one.direction for one in chosen for name in one.figures})}


def bounds(task: TaskSpec | None, chosen: Iterable[MetricChoice | MetricSpec]) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest value of each metric of a run."""
    own = dict(task.metrics) if task is not None else {}
    known = dict(task.bounds) if task is not None else {}
    return {**known, **_further(own, {name: one.bounds for one in chosen for name in one.figures})}


def _further(own: Mapping[str, object], chosen: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chosen.items() if name not in own}


def metrics_of(plan: Plan, registry: Registry) -> dict[str, str]:
    """Return the metrics of a plan, see `directions`."""
    item = registry.tasks.find(plan.task.name)
    return directions(item.spec if item else None, plan.metrics)


def bounds_of(plan: Plan, registry: Registry) -> dict[str, tuple[float, float]]:
    """Return the bounds of a plan's metrics, see `bounds`."""
    item = registry.tasks.find(plan.task.name)
    return bounds(item.spec if item else None, plan.metrics)
