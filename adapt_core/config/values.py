"""One raw YAML value -> the type that its parameter declares."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable
from typing import Any

from adapt_core.config.reader import plain
from adapt_core.plugin.params import Parameter, union_members

_TRUE = frozenset({"true", "yes"})
_FALSE = frozenset({"false", "no"})


class ValueProblem(ValueError):  # noqa: N818 - a problem that is collected, not an error that travels
    """A value does not fit its parameter. The text says what was expected."""


def is_not_given(value: object) -> bool:
    """Return whether a raw value means "not given": empty, '', null, None, or the string 'None'."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "None", "~"))


def convert(value: object, parameter: Parameter, choices: tuple[object, ...] | None = None) -> Any:
    """Return a raw value as the parameter's type, within its choices and bounds.

    Args:
        value: what was read (not a "not given", see `is_not_given`).
        parameter: the declaration.
        choices: choices that replace the declared ones.

    Raises:
        ValueProblem: with what was expected.
    """
    value = plain(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            # Python's name of a file whose name is not UTF-8: no file of a run could hold it.
            raise ValueProblem(f"must be Unicode text, not {_show(value)}. Rename what it names.") from None
    members = union_members(parameter.type)
    for member in members:
        try:
            converted = _CONVERTERS[typing.get_origin(member) or member](value, member)
        except ValueProblem:
            continue
        return _within(converted, parameter, choices or parameter.declaration.choices)
    raise ValueProblem(f"must be {_expected(parameter)}, not {_show(value)}.")


def _expected(parameter: Parameter) -> str:
    words = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text"}
    return " or ".join(
        words.get(name, f"a {name}") for name in parameter.type_name.removesuffix(" or null").split(" or ")
    )


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def as_bool(value: object, _: object = bool) -> bool:
    """Return a raw value as a switch: true/false, yes/no, quoted or not, in any case.

    Raises:
        ValueProblem: it is neither.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        folded = value.strip().casefold()
        if folded in _TRUE:
            return True
        if folded in _FALSE:
            return False
    raise ValueProblem


def _int(value: object, _: object) -> int:
    number = _float(value, _)
    if number != math.floor(number):
        raise ValueProblem
    return int(value) if isinstance(value, int) else int(number)


def _float(value: object, _: object) -> float:
    if isinstance(value, bool):
        raise ValueProblem
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueProblem from None
    if not isinstance(value, (int, float)):
        raise ValueProblem
    try:
        number = float(value)
    except OverflowError:
        raise ValueProblem from None
    if not math.isfinite(number):
        raise ValueProblem
    return number


def _str(value: object, _: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueProblem


def _tuple(value: object, annotation: object) -> tuple[Any, ...]:
    element = typing.get_args(annotation)[0]
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list):
        if isinstance(value, dict):
            raise ValueProblem
        value = [value]
    return tuple(_as_one_of(item, union_members(element)) for item in value)


def _as_one_of(value: object, kinds: tuple[object, ...]) -> Any:
    for kind in kinds:
        try:
            return _CONVERTERS[typing.get_origin(kind) or kind](value, kind)
        except ValueProblem:
            continue
    raise ValueProblem


def _dict(value: object, _: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueProblem
    return value


_CONVERTERS: dict[Any, Callable[[Any, Any], Any]] = {
    bool: as_bool,
    int: _int,
    float: _float,
    str: _str,
    tuple: _tuple,
    dict: _dict,
}


def _within(value: object, parameter: Parameter, choices: tuple[object, ...] | None) -> Any:
    if choices is not None:
        return tuple(_choose(item, choices) for item in value) if isinstance(value, tuple) else _choose(value, choices)
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            _in_bounds(item, parameter)
    return value


def _choose(value: object, choices: tuple[object, ...]) -> Any:
    for choice in choices:
        same = isinstance(choice, str) and isinstance(value, str) and choice.casefold() == value.strip().casefold()
        if same or (choice == value and type(choice) is type(value)):
            return choice
    raise ValueProblem(f"must be one of {', '.join(map(str, choices))}; not {_show(value)}.")


def _in_bounds(value: float, parameter: Parameter) -> None:
    bounds = parameter.declaration
    fits = (
        (bounds.ge is None or value >= bounds.ge)
        and (bounds.gt is None or value > bounds.gt)
        and (bounds.le is None or value <= bounds.le)
        and (bounds.lt is None or value < bounds.lt)
    )
    if not fits:
        raise ValueProblem(f"must be {bounds_in_words(parameter)}; not {value}.")


def bounds_in_words(parameter: Parameter) -> str:
    """Return the declared bounds as text: "at least 1", "above 0 and below 1"."""
    bounds = parameter.declaration
    named = (("at least", bounds.ge), ("above", bounds.gt), ("at most", bounds.le), ("below", bounds.lt))
    return " and ".join(
        f"{word} {bound:g}" if bound < 1e6 else f"{word} {bound:.0f}" for word, bound in named if bound is not None
    )
