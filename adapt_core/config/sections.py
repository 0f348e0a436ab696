"""Sections opened, keys folded, other spellings joined, duplicates judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from adapt_core.config import known_keys, legacy
from adapt_core.config.core_params.groups import GROUPS
from adapt_core.config.reader import Entry
from adapt_core.config.values import is_not_given
from adapt_core.errors import Problem, Where
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry

_SECTION_SUFFIX = "_config"


@attrs.frozen
class Given:
    """One key that a config gives, after sections and spellings.

    Attributes:
        key: folded, in its lasting spelling (`method` for `PEFT_METHOD`).
        written: as the file has it.
        value: raw; never a "not given".
        where: its place.
    """

    key: str
    written: str
    value: Any
    where: Where


def declared_keys(registry: Registry) -> set[str]:
    """Return the folded keys that anything installed declares, and all documented ones."""
    keys = set(known_keys.OWNERS) | set(legacy.HONOURED) | set(legacy.WITHOUT_EFFECT)
    for group in GROUPS.values():
        keys.update(parameters_of(group))
    for item in registry:
        keys.update(registry.parameters(item))
    return keys


def method_sections(registry: Registry) -> dict[str, str]:
    """Folded section name -> folded method name, for sections that are read only when that method runs."""
    names = {name.casefold() for name in known_keys.METHODS}
    names.update(registry.methods.by_name)
    return {f"{name}{_SECTION_SUFFIX}": name for name in names}


def flatten(entries: Iterable[Entry], registry: Registry) -> list[tuple[str | None, Entry]]:
    """Return the entries with sections opened.

    Returns:
        pairs of (folded method whose section the entry stood in, or None; the entry), in order.
    """
    declared = declared_keys(registry)
    sections = method_sections(registry)

    def walk(items: Iterable[Entry], method: str | None) -> Iterator[tuple[str | None, Entry]]:
        for entry in items:
            folded = entry.key.casefold()
            if isinstance(entry.value, tuple) and folded not in declared:
                yield from walk(entry.value, sections.get(folded, method))
            else:
                yield method, entry

    return list(walk(entries, None))


def join(
    entries: Iterable[tuple[str | None, Entry]], method: str | None, overrides: Iterable[Entry] = ()
) -> tuple[dict[str, Given], list[Problem]]:
    """One value a key: spellings joined, "not given" dropped, overrides on top.

    Args:
        entries: what `flatten` returned.
        method: the folded name of the method that runs; other methods' sections are left out.
        overrides: `--set` entries; the last of a key wins over everything.

    Returns:
        the given keys by folded name, and a problem for each key given twice with different values.
    """
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    for section, entry in entries:
        if section is not None and section != method:
            continue
        item = _given(entry)
        if is_not_given(item.value):
            continue
        first = given.setdefault(item.key, item)
        if first is not item and not _same(first, item):
            message = f"given twice: {_show(first)} at {first.where} and {_show(item)} here."
            problems.append(Problem(message, key=item.written, where=item.where, hint="Keep one of them."))
    for entry in overrides:
        item = _given(entry)
        if is_not_given(item.value):
            given.pop(item.key, None)
        else:
            given[item.key] = item
    return given, problems


def _given(entry: Entry) -> Given:
    folded = entry.key.strip().casefold()
    return Given(legacy.ALIASES.get(folded, folded), entry.key, entry.value, entry.where)


def _same(first: Given, second: Given) -> bool:
    if first.key == "method":
        return str(first.value).casefold() == str(second.value).casefold()
    return bool(first.value == second.value and type(first.value) is type(second.value))


def _show(given: Given) -> str:
    return f"{given.written}: {given.value!r}"
