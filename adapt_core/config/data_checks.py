"""The checks of the data before training: those that VERDICT names, or all that serve the task of a run."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from adapt_core.config.core_params.run import RunParams
from adapt_core.config.sections import Given
from adapt_core.errors import Problem
from adapt_core.plugin.registry import Registered, Registry
from adapt_core.plugin.specs import DataCheckSpec, TaskSpec

AUTO = "auto"
NONE = "none"


def serving_checks(run: RunParams, task: TaskSpec, params: Any, registry: Registry) -> list[Registered[DataCheckSpec]]:
    """Return the checks of a run's data, in the order of VERDICT, or in that of their plugins.

    Args:
        run: for VERDICT.
        task: of the run.
        params: of the task.
        registry: the checks to choose from.
    """
    asked = [name.casefold() for name in run.verdict]
    if asked == [NONE]:
        return []
    shapes = task.shapes_of(params)
    if asked == [AUTO]:
        return [one for one in registry.data_checks if _serves(one.spec, shapes)]
    named = (registry.data_checks.find(name) for name in run.verdict)
    return [one for one in named if one is not None and _serves(one.spec, shapes)]


def _serves(spec: DataCheckSpec, shapes: tuple[str, ...]) -> bool:
    return not spec.shapes or any(shape in shapes for shape in spec.shapes)


def unknown_checks(run: RunParams, places: Mapping[str, Given], registry: Registry) -> list[Problem]:
    """Return what is wrong with the names in VERDICT: checks that are not registered, `auto` or `none` among others."""
    place = places.get("verdict")
    at: dict[str, Any] = {"key": place.written if place else "VERDICT", "where": place.where if place else None}
    known = registry.data_checks.names()
    listed = f"There are: {', '.join(sorted(known)) or 'none'} (more are in adapt-verdict: pip install adapt-verdict)."
    asked = [name.casefold() for name in run.verdict]
    if not asked or (len(asked) > 1 and {AUTO, NONE} & set(asked)):
        message = f"must be auto, none, or names of checks; not {', '.join(run.verdict) or 'an empty list'}."
        return [Problem(message, hint=listed, **at)]
    problems = []
    for name in run.verdict:
        if name.casefold() in (AUTO, NONE) or registry.data_checks.find(name) is not None:
            continue
        near = get_close_matches(name.casefold(), [one.casefold() for one in known], n=1)
        hint = f"Did you mean {near[0]}? {listed}" if near else listed
        problems.append(Problem(f"no check of the data is named {name!r}.", hint=hint, **at))
    return problems
