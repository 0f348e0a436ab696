"""The trackers that TRACKERS chooses."""

from __future__ import annotations

from collections.abc import Mapping

from adapt_core.config import known_keys
from adapt_core.config.core_params.run import RunParams
from adapt_core.config.metrics import absent_requirements
from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection, look_up
from adapt_core.config.values import ValueProblem, convert, is_not_given
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry

KEY = "trackers"


def check_trackers(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    """Collect what is wrong with the names in TRACKERS: unknown ones, and those whose packages are not installed."""
    entry = given.get(KEY)
    if entry is None or is_not_given(entry.value):
        return
    try:
        names = convert(entry.value, parameters_of(RunParams)[KEY])
    except ValueProblem:
        return  # reported where the keys are assigned
    for name in dict.fromkeys(names):
        found = look_up(registry.trackers, known_keys.TRACKERS, name, entry, registry, selection)
        if found is not None:
            selection.problems += absent_requirements(found.spec.name, found.spec.requires, found.provenance, entry)
