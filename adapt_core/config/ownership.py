"""The one owner of each key; unknown, unused and legacy keys."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import attrs

from adapt_core.config import known_keys, legacy
from adapt_core.config.core_params.groups import GROUPS
from adapt_core.config.other_names import other_key
from adapt_core.config.plan import SLOTS
from adapt_core.config.sections import Given, declared_keys
from adapt_core.config.selection import Selection, is_on
from adapt_core.config.values import ValueProblem, convert
from adapt_core.errors import Problem
from adapt_core.plugin.import_strings import is_import_string
from adapt_core.plugin.params import Parameter, parameters_of
from adapt_core.plugin.registry import Registry


@attrs.frozen
class Owner:
    """Who reads a key in this run: a slot of the plan, and how to name it."""

    slot: str
    name: str
    parameter: Parameter


@attrs.define
class Owned:
    """The values of a config by slot, with all that was wrong or left unused.

    Attributes:
        values: slot -> attribute -> converted value, for `GROUPS`, `SLOTS` and each of METRICS and EXPORT.
        places: folded key -> where it was given.
        unused: documented keys that this run does not use, with the reason.
    """

    values: dict[str, dict[str, Any]]
    places: dict[str, Given]
    problems: list[Problem] = attrs.field(factory=list)
    unused: dict[str, str] = attrs.field(factory=dict)


def assign(given: Mapping[str, Given], selection: Selection, registry: Registry) -> Owned:
    """Convert each given key to its owner's type, and report those without an owner."""
    owners, problems = owners_of(selection)
    slots = (*GROUPS, *SLOTS, *(slot for slot, _ in selection.named))
    owned = Owned({slot: {} for slot in slots}, dict(given), problems)
    task = selection.task.spec if selection.task else None
    for key, owner in owners.items():
        if task is not None and owner.slot in GROUPS and key in task.core_defaults and key not in given:
            owned.values[owner.slot][owner.parameter.attribute] = task.core_defaults[key]
    for key, item in given.items():
        # What this run declares is no other spelling of another key: a name means what its owner says.
        found = owners.get(item.written.strip().casefold()) or owners.get(key)
        if found is None:
            _judge(key, item, owned, selection, registry)
            continue
        choices = task.loop.choices.get(key) if task is not None and found.slot in GROUPS else None
        if isinstance(item.value, str) and is_import_string(item.value):
            choices = None  # see `named_code`
        try:
            owned.values[found.slot][found.parameter.attribute] = convert(item.value, found.parameter, choices)
        except ValueProblem as problem:
            owned.problems.append(Problem(str(problem), key=item.written, where=item.where, owner=found.name))
    return owned


def owners_of(selection: Selection) -> tuple[dict[str, Owner], list[Problem]]:
    """Folded key -> owner. What a task, method, quantizer, launcher, metric or exporter declares goes before core."""
    owners = {
        key: Owner(slot, "core", parameter)
        for slot, group in GROUPS.items()
        for key, parameter in parameters_of(group).items()
    }
    problems = []
    choices = [(slot, getattr(selection, slot)) for slot in SLOTS]
    choices += selection.named
    for slot, chosen in choices:
        if chosen is None:
            continue
        for key, parameter in parameters_of(chosen.params_class()).items():
            holder = owners.get(key)
            if holder is not None and holder.slot not in GROUPS:
                message = f"both {holder.name} and {chosen.spec.name} ({chosen.provenance}) declare this key."
                problems.append(Problem(message, key=parameter.key, hint="Choose another of the two."))
            owners[key] = Owner(slot, chosen.spec.name, parameter)
    return owners, problems


def _judge(key: str, item: Given, owned: Owned, selection: Selection, registry: Registry) -> None:
    if key in legacy.WITHOUT_EFFECT:
        owned.unused[item.written] = f"no effect: {legacy.WITHOUT_EFFECT[key]}"
        return
    readers = _readers(key, registry)
    if readers:
        if not _is_off_switch(key, item, registry):
            owned.unused[item.written] = f"read by {readers[0]}" + (" and others" if len(readers) > 1 else "")
        return
    if key == "subtask" and selection.task is not None:
        return
    if selection.unreadable:
        return  # It may be one of theirs, and that they cannot be read is a problem of its own.
    owned.problems.append(Problem("unknown key.", key=item.written, where=item.where, hint=_hint(key, registry)))


def _hint(key: str, registry: Registry) -> str:
    here = other_key(key)
    if here:
        return f"Here it is {here}."
    candidates = sorted(declared_keys(registry) - set(legacy.WITHOUT_EFFECT))
    near = get_close_matches(key, candidates, n=1, cutoff=0.6)
    return f"Did you mean {spelling(near[0], registry)}?" if near else "See adapt params for the known ones."


def _readers(key: str, registry: Registry) -> list[str]:
    readers = [
        f"{item.spec.name} of {item.provenance.distribution}" for item in registry if key in registry.parameters(item)
    ]
    return readers or known_keys.OWNERS.get(key, [])


def _is_off_switch(key: str, item: Given, registry: Registry) -> bool:
    switches = {q.spec.switch.casefold() for q in registry.quantizers}
    switches |= {launcher.spec.switch.casefold() for launcher in registry.launchers if launcher.spec.switch}
    return (key in known_keys.SWITCHES or key in switches) and not is_on(item)


def spelling(key: str, registry: Registry) -> str:
    """Return a folded key as it is documented."""
    for group in GROUPS.values():
        if key in parameters_of(group):
            return parameters_of(group)[key].key
    for item in registry:
        if key in registry.parameters(item):
            return registry.parameters(item)[key].key
    return known_keys.SPELLING.get(key, key.upper())
