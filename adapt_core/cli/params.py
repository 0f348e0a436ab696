"""`adapt params`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.config.core_params.groups import GROUPS, changed_by
from adapt_core.config.other_names import OTHER_METHODS, OTHER_TASKS, other_key
from adapt_core.config.values import bounds_in_words
from adapt_core.errors import InputError
from adapt_core.plugin.params import Parameter, parameters_of
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.specs import TaskSpec


@click.command()
@click.argument("names", nargs=-1)
@options.json_option
@options.traceback_option
@click.pass_obj
def params(disabled: tuple[str, ...], names: tuple[str, ...], as_json: bool) -> None:
    """List parameters. NAMES are tasks, methods, quantizers, launchers, core groups or keys; none means all.

    \b
    adapt params
    adapt params text_classification LoRA
    adapt params BATCH_SIZE --json
    """
    registry = Registry.discover(disabled)
    for item in registry:
        if item.spec.name.casefold() in map(str.casefold, names):
            item.params_class()  # what is asked for by name must be there
    every = list(sections(registry))
    chosen = _merged(section for name in names for section in _matching(name, every)) if names else _merged(every)
    if as_json:
        import json

        tables = {title: list(map(describe, parameters)) for title, parameters in chosen.items()}
        say(json.dumps(tables, indent=2, default=str))
        return
    from adapt_core.cli.tables import paragraph, table

    for title, parameters in chosen.items():
        say(paragraph(title))
        if not parameters:
            say("  takes no parameters\n")
            continue
        heading = ["key", "type", "default", "turned on by", "meaning"]
        rows = [[row["key"], row["type"], row["default"], row["on"], row["help"]] for row in map(describe, parameters)]
        if not any(row[3] for row in rows):
            heading.pop(3)
            for row in rows:
                row.pop(3)
        say(table([heading, *rows], indent="  "))
        say()
    for broken in registry.broken:
        say(paragraph(f"broken: {broken.provenance} ({broken.provenance.plugin}): {broken.cause}"))


def sections(registry: Registry) -> Iterator[tuple[str, str, list[Parameter]]]:
    """Return every group of parameters: title, name, declarations."""
    for name, group in GROUPS.items():
        yield f"core: {name}", name, list(parameters_of(group).values())
    for shelf in (registry.tasks, registry.methods, registry.quantizers, registry.launchers):
        for item in shelf:
            title = f"{shelf.kind} {item.spec.name} ({item.provenance})"
            changed = changed_by(item.spec) if isinstance(item.spec, TaskSpec) else []
            yield title, item.spec.name, [*registry.parameters(item).values(), *changed]


def _merged(sections: Iterable[tuple[str, str, list[Parameter]]]) -> dict[str, list[Parameter]]:
    """Return parameters by title; several names can ask for keys of one section."""
    merged: dict[str, dict[str, Parameter]] = {}
    for title, _, parameters in sections:
        merged.setdefault(title, {}).update({parameter.folded: parameter for parameter in parameters})
    return {title: list(parameters.values()) for title, parameters in merged.items()}


def _matching(name: str, sections: list[tuple[str, str, list[Parameter]]]) -> list[tuple[str, str, list[Parameter]]]:
    folded = name.casefold()
    named = [section for section in sections if section[1].casefold() == folded]
    if named:
        return named
    keyed = [(t, n, [p for p in ps if p.folded == folded]) for t, n, ps in sections]
    found = [section for section in keyed if section[2]]
    if found:
        return found
    here = OTHER_TASKS.get(folded.replace("-", "_")) or OTHER_METHODS.get(folded) or other_key(folded)
    if here:
        raise InputError(f"no task, method, quantizer, launcher or key {name!r}. Here it is {here}.")
    candidates = [section[1] for section in sections] + [p.key for section in sections for p in section[2]]
    near = get_close_matches(folded, [c.casefold() for c in candidates], n=1)
    raise InputError(
        f"no task, method, quantizer, launcher or key {name!r}."
        + (f" Did you mean {near[0]}?" if near else " See adapt params for all of them.")
    )


def describe(parameter: Parameter) -> dict[str, str]:
    """Return a parameter as words: key, type, default, what turns it on, help with its limits."""
    declaration = parameter.declaration
    limits = ", ".join(map(str, declaration.choices)) if declaration.choices else bounds_in_words(parameter)
    return {
        "key": parameter.key,
        "type": parameter.type_name,
        "default": _as_yaml(parameter.default),
        "on": "" if declaration.on is None else str(declaration.on).lower(),
        "help": f"{declaration.help} [{limits}]" if limits else declaration.help,
    }


def _as_yaml(default: Any) -> str:
    """Return a default as a config spells it; nothing for "not given"."""
    if default is None:
        return ""
    if isinstance(default, tuple):
        return f"[{', '.join(map(_as_yaml, default))}]"
    return str(default).lower() if isinstance(default, bool) else str(default)
