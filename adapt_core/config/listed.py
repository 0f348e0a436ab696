"""What a key names in a list, of the specs that plugins register: METRICS, EXPORT and TRACKERS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection, look_up
from adapt_core.config.values import ValueProblem, convert, is_not_given
from adapt_core.errors import InputError, Problem
from adapt_core.plugin.params import Parameter
from adapt_core.plugin.registry import Provenance, Registered, Registry, Shelf, SpecT


def look_up_listed(
    shelf: Shelf[SpecT],
    well_known: Mapping[str, str],
    key: Parameter,
    given: Mapping[str, Given],
    registry: Registry,
    selection: Selection,
) -> list[Registered[SpecT]]:
    """Return what the names in a list mean, each once; the selection gets a problem for each that cannot be used.

    Args:
        shelf, well_known, registry, selection: see `look_up`.
        key: of the list.
        given: folded key -> what a config gives.

    Returns:
        nothing where the key is not given, or has a value of another type, which is reported where keys are assigned.
    """
    entry = given.get(key.folded)
    if entry is None or is_not_given(entry.value):
        return []
    try:
        names = convert(entry.value, key)
    except ValueProblem:
        return []
    found = (look_up(shelf, well_known, name, entry, registry, selection) for name in dict.fromkeys(names))
    return list({id(item.spec): item for item in found if item is not None}.values())


def absent_requirements(name: str, requires: Iterable[str], provenance: Provenance, entry: Given) -> list[Problem]:
    """Return a problem for each distribution that something chosen needs and that is not installed.

    Args:
        name: of what was chosen.
        requires: the distributions.
        provenance: of what was chosen.
        entry: where it was chosen.
    """
    return [
        Problem(
            f"{name} of {provenance.distribution} needs {distribution}.",
            key=entry.written,
            where=entry.where,
            hint=f"pip install {distribution}",
        )
        for distribution in filter(_is_absent, requires)
    ]


def has_params(item: Registered[SpecT], entry: Given, selection: Selection) -> bool:
    """Return whether the params class of something chosen can be loaded; else the selection gets the problem."""
    try:
        item.params_class()
    except InputError as error:
        selection.problems.append(Problem(str(error), key=entry.written, where=entry.where))
        return False
    return True


def _is_absent(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return True
    return False
