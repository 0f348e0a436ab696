"""The exporters that EXPORT chooses."""

from __future__ import annotations

from collections.abc import Mapping

from adapt_core.config import known_keys
from adapt_core.config.core_params.run import RunParams
from adapt_core.config.metrics import absent_requirements, has_params
from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection, look_up
from adapt_core.config.values import ValueProblem, convert, is_not_given
from adapt_core.errors import Problem
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry

KEY = "export"


def select_exporters(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    """Look up the names in EXPORT, and collect what is wrong with them."""
    entry = given.get(KEY)
    if entry is None or is_not_given(entry.value):
        return
    try:
        names = convert(entry.value, parameters_of(RunParams)[KEY])
    except ValueProblem:
        return  # reported where the keys are assigned
    found = (look_up(registry.exporters, known_keys.EXPORTERS, name, entry, registry, selection) for name in names)
    chosen = {id(item.spec): item for item in found if item is not None}
    selection.exporters = tuple(item for item in chosen.values() if has_params(item, entry, selection))
    for item in selection.exporters:
        selection.problems += absent_requirements(item.spec.name, item.spec.requires, item.provenance, entry)
        task = selection.task.spec.name if selection.task is not None else None
        if task is None or item.spec.serves(task):
            continue
        fitting = sorted(one.spec.name for one in registry.exporters if one.spec.serves(task))
        message = f"{item.spec.name} takes models of {', '.join(item.spec.tasks)}, and this is {task}."
        hint = f"There are: {', '.join(fitting)}."
        selection.problems.append(Problem(message, key=entry.written, where=entry.where, hint=hint))
