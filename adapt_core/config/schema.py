"""A JSON Schema of configs, made from the declarations of all that is installed.

Editors complete and check configs by it. It accepts what adapt reads: any case of keys, switches in quotes, numbers as
text, lists as text with commas, sections. Which keys belong together is adapt's to say: `adapt run CONFIG --dry-run`.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from adapt_core.config import fitted_keys, known_keys, legacy
from adapt_core.config.data_checks import AUTO, NONE
from adapt_core.config.declared import declared
from adapt_core.config.values import bounds_in_words
from adapt_core.plugin.params import Parameter, union_members
from adapt_core.plugin.registry import Registry

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "A config of adapt"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_SWITCH = r"^\s*([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo])\s*$"
_NOT_GIVEN: list[Schema] = [{"type": "null"}, {"type": "string", "pattern": r"^\s*(None|~)?\s*$"}]
_TYPES: Mapping[Any, list[Schema]] = {
    bool: [{"type": "boolean"}, {"type": "string", "pattern": _SWITCH}],
    str: [{"type": "string"}, {"type": "integer"}],
    dict: [{"type": "object"}],
}


def config_schema(registry: Registry) -> Schema:
    """Return the schema, draft 2020-12.

    A key that several declare has the values and the meaning of each. Keys of the previous tool and of plugins that are
    not installed are accepted as they are.
    """
    owners: dict[str, list[tuple[str, Parameter]]] = {}
    for owned in declared(registry):
        for parameter in owned.parameters:
            owners.setdefault(parameter.folded, []).append((owned.name, parameter))
    names = _names(registry)
    properties, patterns = {}, {}
    for folded, each in owners.items():
        key = each[0][1].key
        properties[key] = _key(each, names.get(folded, ()))
        patterns[_any_case(key)] = {"$ref": f"#/properties/{key}"}
    others = {*known_keys.OWNERS, *legacy.HONOURED, *legacy.WITHOUT_EFFECT, *legacy.ALIASES, *legacy.REWRITTEN}
    return {
        "$schema": DRAFT,
        "title": TITLE,
        "type": "object",
        "properties": properties,
        "patternProperties": {**patterns, **{_any_case(key): True for key in sorted(others - set(owners))}},
        "additionalProperties": {
            "description": "A section: its keys count as if they stood outside of it.",
            "type": ["object", "null"],
        },
    }


def _names(registry: Registry) -> dict[str, tuple[str, ...]]:
    """Return folded key -> names that are its values beside those that it declares."""
    return {
        "task": tuple(item.spec.name for item in registry.tasks),
        "method": tuple(item.spec.name for item in registry.methods),
        "launcher": tuple(item.spec.name for item in registry.launchers),
        "metrics": tuple(item.spec.name for item in registry.metrics),
        "trackers": tuple(item.spec.name for item in registry.trackers),
        "export": tuple(item.spec.name for item in registry.exporters),
        "batch_size": (fitted_keys.AUTO,),
        "gradient_checkpointing": (fitted_keys.AUTO,),
        "verdict": (AUTO, NONE, *(item.spec.name for item in registry.data_checks)),
        "data_format": tuple(item.spec.name for item in registry.formats),
        "subtask": legacy.SEQ2SEQ_SUBTASKS,
    }


def _key(owners: Iterable[tuple[str, Parameter]], names: tuple[str, ...]) -> Schema:
    owners = list(owners)
    values: list[Schema] = [{"enum": list(names)}] if names else []
    if names and any(typing.get_origin(kind) is tuple for _, one in owners for kind in union_members(one.type)):
        values.append({"type": "array", "items": {"enum": list(names)}})  # editors complete each name of a list
    meanings: dict[str, list[str]] = {}
    defaults = []
    for owner, parameter in owners:
        values += [schema for schema in value_schemas(parameter) if schema not in values]
        limits = bounds_in_words(parameter)
        help_text = parameter.declaration.help
        meanings.setdefault(f"{help_text} [{limits}]" if limits else help_text, []).append(owner)
        defaults.append(json_value(parameter.default))
    told = [*meanings] if len(meanings) == 1 else [f"{', '.join(who)}: {text}" for text, who in meanings.items()]
    default = {"default": defaults[0]} if all(each == defaults[0] for each in defaults) else {}
    return {"description": "\n".join(told), **default, "anyOf": [*values, *_NOT_GIVEN]}


def value_schemas(parameter: Parameter) -> list[Schema]:
    """Return the schemas of a parameter's values, any of which may hold; the value "not given" is not among them."""
    found: list[Schema] = []
    for member in union_members(parameter.type):
        found += _member(member, parameter)
    return found


def json_value(value: object) -> Any:
    """Return a default as JSON has it: a tuple as a list."""
    return [json_value(item) for item in value] if isinstance(value, tuple) else value


def bounds(parameter: Parameter) -> dict[str, float]:
    """Return the declared bounds by JSON Schema's words."""
    given = parameter.declaration
    named = {"minimum": given.ge, "exclusiveMinimum": given.gt, "maximum": given.le, "exclusiveMaximum": given.lt}
    return {word: bound for word, bound in named.items() if bound is not None}


def _member(member: Any, parameter: Parameter) -> list[Schema]:
    if typing.get_origin(member) is tuple:
        element = typing.get_args(member)[0]
        schemas = [schema for kind in union_members(element) for schema in _member(kind, parameter)]
        # One value stands for a list of one, and a text with commas for several; a mapping does neither.
        alone = [schema for schema in schemas if schema.get("type") != "object"]
        return [{"type": "array", "items": {"anyOf": schemas}}, {"type": "string"}, *alone]
    choices = parameter.declaration.choices
    if choices is not None and member is not bool:
        texts = [choice for choice in choices if isinstance(choice, str)]
        other = [{"type": "string", "pattern": _any_case(*texts)}] if texts else []
        return [{"enum": list(choices)}, *other]
    if member in (int, float):
        number = "integer" if member is int else "number"
        return [{"type": number, **bounds(parameter)}, {"type": "string", "pattern": _NUMBER}]
    kind = typing.get_origin(member) or member
    return list(_TYPES[kind])


def _any_case(*words: str) -> str:
    """Return a pattern of some words in any case; JSON Schema's patterns have no flag for it."""

    def letter(sign: str) -> str:
        return f"[{sign.upper()}{sign.lower()}]" if sign.upper() != sign.lower() else re.escape(sign)

    return f"^({'|'.join(''.join(map(letter, word)) for word in words)})$"
