"""The exporters that EXPORT chooses."""

from __future__ import annotations

from collections.abc import Mapping

from adapt_core.config import known_keys
from adapt_core.config.core_params.run import RunParams
from adapt_core.config.listed import absent_requirements, has_params, look_up_listed
from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection
from adapt_core.errors import Problem
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry

KEY = "export"


def select_exporters(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    """Look up the names in EXPORT, and collect what is wrong with them."""
    key = parameters_of(RunParams)[KEY]
    chosen = look_up_listed(registry.exporters, known_keys.EXPORTERS, key, given, registry, selection)
    selection.exporters = tuple(item for item in chosen if has_params(item, given[KEY], selection))
    for item in selection.exporters:
        entry = given[KEY]
        selection.problems += absent_requirements(item.spec.name, item.spec.requires, item.provenance, entry)
        task = selection.task.spec.name if selection.task is not None else None
        if task is None or item.spec.serves(task):
            continue
        fitting = sorted(one.spec.name for one in registry.exporters if one.spec.serves(task))
        message = f"{item.spec.name} takes models of {', '.join(item.spec.tasks)}, and this is {task}."
        hint = f"There are: {', '.join(fitting)}."
        selection.problems.append(Problem(message, key=entry.written, where=entry.where, hint=hint))
