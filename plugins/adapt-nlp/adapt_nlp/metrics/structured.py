"""Metrics of texts that programs read: JSON, calls of tools, an answer in a known form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NoReturn

import attrs

from adapt_core.errors import InputError
from adapt_core.plugin.params import param

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)</function>", re.DOTALL)
_ARGUMENTS = ("arguments", "parameters", "args")


@attrs.frozen
class JsonSchemaParams:
    """What json_schema checks."""

    json_schema: str | dict[str, object] = param(
        help="The JSON Schema of answers: a file, or the schema itself.", key="JSON_SCHEMA", may_change_on_resume=True
    )


@attrs.frozen
class RegexParams:
    """What regex reads."""

    answer_pattern: str = param(
        help="A regular expression of Python for the answer in a text; of several groups the first counts, of several "
        "places the last ('#### (-?[0-9.,]+)').",
        key="ANSWER_PATTERN",
        may_change_on_resume=True,
    )


def json_valid(predicted: Sequence[str], _expected: Sequence[str]) -> float:
    """Return the share of texts that are JSON (RFC 8259: neither NaN nor Infinity), white space around it aside."""
    return fmean(_parsed(text) is not _NO_JSON for text in predicted)


class JsonSchema:
    """The share of texts that are JSON and valid under JSON_SCHEMA (by jsonschema, in the draft that it names).

    Raises:
        InputError: the schema cannot be read, or is none.
    """

    def __init__(self, params: JsonSchemaParams) -> None:
        self._validator: Validator = _validator(_schema(params.json_schema))

    def __call__(self, predicted: Sequence[str], _expected: Sequence[str]) -> float:
        """Return the share of predicted texts that fit."""
        return fmean(map(self._fits, predicted))

    def _fits(self, text: str) -> bool:
        found = _parsed(text)
        try:
            return found is not _NO_JSON and bool(self._validator.is_valid(found))
        except RecursionError:  # nested deeper than Python goes, under a schema that refers to itself
            return False


def _schema(given: str | Mapping[str, object]) -> object:
    if isinstance(given, Mapping):
        return dict(given)
    try:
        return json.loads(Path(given).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"JSON_SCHEMA: {given} cannot be read as JSON: {error}. Name a file with a schema.") from None


def _validator(schema: object) -> Validator:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable

    kind = validator_for(schema if isinstance(schema, Mapping) else {})
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise InputError(f"JSON_SCHEMA is no JSON Schema: {error.message}. Correct it.") from None
    validator: Validator = kind(schema)
    for reference in _references(schema):
        try:
            validator.evolve(schema={"$ref": reference}).is_valid(None)
        except (
            Unresolvable,
            RecursionError,
        ) as error:  # told now: only texts that get there would find it, perhaps after training
            raise InputError(f"JSON_SCHEMA: $ref {reference!r} cannot be followed: {error} Correct it.") from None
    return validator


def _references(schema: object) -> set[str]:
    """Return the references inside a schema's own document, where no part of it is a document of its own."""
    found, left = set[str](), [schema]
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            if part is not schema and isinstance(part.get("$id"), str):
                return set()
            reference = part.get("$ref")
            found |= {reference} if isinstance(reference, str) else set()
            left += part.values()
        elif isinstance(part, list):
            left += part
    return found


class Regex:
    """The share of texts whose answer, found by ANSWER_PATTERN, is that of the expected text.

    Where the pattern is not in an expected text, that text is itself the answer.

    Raises:
        InputError: the pattern is no regular expression.
    """

    def __init__(self, params: RegexParams) -> None:
        try:
            self._pattern = re.compile(params.answer_pattern)
        except re.error as error:
            raise InputError(f"ANSWER_PATTERN is no regular expression: {error}. Correct it.") from None

    def __call__(self, predicted: Sequence[str], expected: Sequence[str]) -> dict[str, float]:
        """Return "regex", the share of right answers, and "regex_found", the share of texts with an answer."""
        answers = [self._answer(text) for text in predicted]
        wanted = [text.strip() if (found := self._answer(text)) is None else found for text in expected]
        return {
            "regex": fmean(found == right for found, right in zip(answers, wanted, strict=True)),
            "regex_found": fmean(found is not None for found in answers),
        }

    def _answer(self, text: str) -> str | None:
        found = None
        for match in self._pattern.finditer(text):
            found = match
        if found is None:
            return None
        captured = found[1] if self._pattern.groups else None
        return (found[0] if captured is None else captured).strip()


def tool_call(predicted: Sequence[str], expected: Sequence[str]) -> dict[str, float]:
    """Return "tool_call", the share of texts with the expected calls of tools, and "tool_name", that of their names.

    A call is a JSON object with `name` and `arguments` (or `parameters`), wherever it is in a text and whatever tokens
    are around it, or Llama's `<function=NAME>{...}</function>`. Arguments are compared as JSON, so that the order of
    their keys and white space do not matter; several calls may come in any order. Where no call is expected, there
    must be none.
    """
    pairs = [(_found_in(text), _found_in(wanted)) for text, wanted in zip(predicted, expected, strict=True)]
    return {
        "tool_call": fmean(sorted(found) == sorted(wanted) for found, wanted in pairs),
        "tool_name": fmean(sorted(n for n, _ in found) == sorted(n for n, _ in wanted) for found, wanted in pairs),
    }


def _found_in(text: str) -> list[tuple[str, str]]:
    """Return the calls in a text; none where they are nested deeper than Python goes, as models write by mistake."""
    try:
        return calls_in(text)
    except RecursionError:
        return []


def calls_in(text: str) -> list[tuple[str, str]]:
    """Return the calls of tools in a text: names, and arguments as JSON with sorted keys."""
    calls, rest = [], text
    for match in _FUNCTION.finditer(text):
        arguments = _parsed(match[2])
        calls.append((match[1], _ordered(match[2].strip() if arguments is _NO_JSON else arguments)))
        rest = rest.replace(match[0], "")
    return [*calls, *(call for value in _values_in(rest) for call in _calls(value))]


def _values_in(text: str) -> Iterator[object]:
    """Yield the JSON objects and lists in a text, the outermost ones."""
    decoder, start = json.JSONDecoder(parse_constant=_refuse), 0
    while (begin := min((at for sign in "{[" if (at := text.find(sign, start)) >= 0), default=-1)) >= 0:
        try:
            value, start = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            start = begin + 1
            continue
        yield value


def _calls(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _calls(item)
    if not isinstance(value, Mapping):
        return
    inner = value.get("function")
    if isinstance(inner, Mapping):
        yield from _calls(inner)
        return
    key = next((name for name in _ARGUMENTS if name in value), None)
    if not isinstance(value.get("name"), str) or key is None:
        for item in value.values():
            if isinstance(item, (Mapping, list)):
                yield from _calls(item)
        return
    arguments = value[key]
    if isinstance(arguments, str):  # OpenAI writes them as text
        parsed = _parsed(arguments)
        arguments = arguments if parsed is _NO_JSON else parsed
    yield str(value["name"]), _ordered(arguments)


def _ordered(value: object) -> str:
    return json.dumps(_with_whole_numbers(value), sort_keys=True, ensure_ascii=False)


def _with_whole_numbers(value: object) -> object:
    """Return a JSON value with 5 for 5.0, which are one number in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _with_whole_numbers(item) for key, item in value.items()}
    return [_with_whole_numbers(item) for item in value] if isinstance(value, list) else value


_NO_JSON = object()


def _parsed(text: str) -> object:
    """Return the value of a text that is JSON, or _NO_JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _NO_JSON


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
