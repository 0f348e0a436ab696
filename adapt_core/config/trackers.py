"""The trackers that TRACKERS chooses."""

from __future__ import annotations

from collections.abc import Mapping

from adapt_core.config import known_keys
from adapt_core.config.core_params.run import RunParams
from adapt_core.config.listed import absent_requirements, look_up_listed
from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry

KEY = "trackers"


def check_trackers(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    """Collect what is wrong with the names in TRACKERS: unknown ones, and those whose packages are not installed."""
    key = parameters_of(RunParams)[KEY]
    for found in look_up_listed(registry.trackers, known_keys.TRACKERS, key, given, registry, selection):
        selection.problems += absent_requirements(found.spec.name, found.spec.requires, found.provenance, given[KEY])
