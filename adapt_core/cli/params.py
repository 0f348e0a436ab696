"""`adapt params`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import attrs
import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.config.declared import Owned, declared
from adapt_core.config.other_names import OTHER_METHODS, OTHER_TASKS, other_key
from adapt_core.config.schema import bounds, config_schema, json_value
from adapt_core.config.values import bounds_in_words
from adapt_core.errors import InputError
from adapt_core.plugin.params import Parameter
from adapt_core.plugin.registry import Registry


@click.command()
@click.argument("names", nargs=-1)
@options.json_option
@click.option("--schema", is_flag=True, help="Print a JSON Schema of configs with the keys of all that is installed.")
@options.traceback_option
@click.pass_obj
def params(disabled: tuple[str, ...], names: tuple[str, ...], as_json: bool, schema: bool) -> None:
    """List parameters. NAMES are tasks, methods, quantizers, launchers, core groups or keys; none means all.

    \b
    adapt params
    adapt params text_classification LoRA
    adapt params BATCH_SIZE --json
    adapt params --schema
    """
    registry = Registry.discover(disabled)
    if schema:
        if names:
            raise InputError("adapt params --schema is of all keys. Leave out the names.")
        say(json.dumps(config_schema(registry), indent=2))
        return
    for item in registry:
        if item.spec.name.casefold() in map(str.casefold, names):
            item.params_class()  # what is asked for by name must be there
    every = list(declared(registry))
    chosen = _merged(owned for name in names for owned in _matching(name, every)) if names else _merged(every)
    if as_json:
        tables = {title: list(map(for_programs, parameters)) for title, parameters in chosen.items()}
        say(json.dumps(tables, indent=2))
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


def _merged(owners: Iterable[Owned]) -> dict[str, list[Parameter]]:
    """Return parameters by title; several names can ask for keys of one owner."""
    merged: dict[str, dict[str, Parameter]] = {}
    for owned in owners:
        merged.setdefault(owned.title, {}).update({parameter.folded: parameter for parameter in owned.parameters})
    return {title: list(parameters.values()) for title, parameters in merged.items()}


def _matching(name: str, owners: list[Owned]) -> list[Owned]:
    folded = name.casefold()
    named = [owned for owned in owners if owned.name.casefold() == folded]
    if named:
        return named
    keyed = [attrs.evolve(one, parameters=tuple(p for p in one.parameters if p.folded == folded)) for one in owners]
    found = [owned for owned in keyed if owned.parameters]
    if found:
        return found
    here = OTHER_TASKS.get(folded.replace("-", "_")) or OTHER_METHODS.get(folded) or other_key(folded)
    if here:
        raise InputError(f"no task, method, quantizer, launcher or key {name!r}. Here it is {here}.")
    candidates = [one.name for one in owners] + [p.key for one in owners for p in one.parameters]
    near = get_close_matches(folded, [c.casefold() for c in candidates], n=1)
    raise InputError(
        f"no task, method, quantizer, launcher or key {name!r}."
        + (f" Did you mean {near[0]}?" if near else " See adapt params for all of them.")
    )


def for_programs(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter for programs: default, choices and bounds are values, and null is "not given" or "none"."""
    declaration = parameter.declaration
    return {
        "key": parameter.key,
        "type": parameter.type_name,
        "default": json_value(parameter.default),
        "on": json_value(declaration.on),
        "choices": json_value(declaration.choices),
        "bounds": bounds(parameter),
        "may_change_on_resume": declaration.may_change_on_resume,
        "help": declaration.help,
    }


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
