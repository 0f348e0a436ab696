"""The formats of data that serve the task of a run: by the shapes of rows that they give and it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.data_places import data_places
from adapt_core.config.plan import FormatChoice
from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection
from adapt_core.errors import ConfigError, Problem
from adapt_core.plugin.registry import Registered, Registry
from adapt_core.plugin.specs import FormatSpec


def serving_formats(
    data: DataParams, selection: Selection, params: object, places: Mapping[str, Given], registry: Registry
) -> tuple[DataParams, tuple[FormatChoice, ...]]:
    """Return the data's keys with the registered name in DATA_FORMAT, and the formats that serve the task.

    Args:
        data: the data's keys.
        selection: with a task.
        params: of the task.
        places: folded key -> where it was given.
        registry: the formats to choose from.

    Raises:
        ConfigError: DATA_FORMAT names a format that does not serve the task.
    """
    assert selection.task is not None
    shapes = selection.task.spec.shapes_of(params)
    formats = format_choices(registry, shapes)
    data = _places_with_formats(data, formats, places, registry)
    named = selection.format
    if named is None:
        return data, formats
    if not _serves(named.spec, shapes):
        task, given = selection.task.spec.name, places["data_format"]
        raise ConfigError(
            [
                Problem(
                    f"{named.spec.name} gives {_listed(named.spec.shapes)}, and {task} reads {_listed(shapes)}.",
                    key=given.written,
                    where=given.where,
                    hint=f"Name one that serves it: {', '.join(one.name for one in formats) or 'none is installed'}.",
                )
            ]
        )
    return attrs.evolve(data, data_format=named.spec.name), formats


def _places_with_formats(
    data: DataParams, formats: Collection[FormatChoice], places: Mapping[str, Given], registry: Registry
) -> DataParams:
    """Return the data's keys with the registered names of the formats that places of data name.

    Raises:
        ConfigError: one is not registered, or does not serve the task.
    """
    listed = data.custom_dataset_path
    if not isinstance(listed, tuple):
        return data
    serving = [one.name for one in formats]
    settled = list(listed)
    for number, place in enumerate(data_places(data)):
        if place.format is None:
            continue
        found = registry.formats.find(place.format)
        if found is None or found.spec.name not in serving:
            given = places["custom_dataset_path"]
            message = f"place {number + 1}: format {place.format!r} does not serve the task."
            hint = f"Name one that does: {', '.join(serving) or 'none is installed'}."
            raise ConfigError([Problem(message, key=given.written, where=given.where, hint=hint)])
        entry = listed[number]
        assert not isinstance(entry, str)  # a path alone has no format
        settled[number] = {**entry, "format": found.spec.name}
    return attrs.evolve(data, custom_dataset_path=tuple(settled))


def format_choices(registry: Registry, shapes: Collection[str]) -> tuple[FormatChoice, ...]:
    """Return the registered formats that give rows of one of these shapes."""
    return tuple(_choice(item) for item in registry.formats if _serves(item.spec, shapes))


def _serves(spec: FormatSpec, shapes: Collection[str]) -> bool:
    return any(shape in shapes for shape in spec.shapes)


def _listed(shapes: Collection[str]) -> str:
    return " or ".join(f"rows of {shape}" for shape in shapes)


def _choice(item: Registered[FormatSpec]) -> FormatChoice:
    spec = item.spec
    return FormatChoice(
        name=spec.name,
        summary=spec.summary,
        distribution=item.provenance.distribution,
        version=item.provenance.version,
        implementation=spec.implementation,
        suffixes=spec.suffixes,
        general=spec.general,
        paired=spec.paired,
        documents=spec.documents,
    )
