"""Declared parameters: type, default, bounds and help of a key stand in one place, its attrs field.

A spec's `params` is a frozen attrs class whose fields are made with `param()`. Everything that knows about keys
(reading a config, `adapt params`, `adapt check`, the resolved `config.yaml`) reads these declarations.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

import attrs

_METADATA = "adapt"


@attrs.frozen
class Declaration:
    """The metadata that `param()` adds to an attrs field. See `param` for the meaning of each attribute."""

    help: str
    key: str | None
    choices: tuple[Any, ...] | None
    ge: float | None
    gt: float | None
    le: float | None
    lt: float | None
    on: object
    may_change_on_resume: bool


def param(  # noqa: PLR0913 - the properties of a declaration, all keywords
    default: Any = attrs.NOTHING,
    help: str = "",  # noqa: A002 - the word every parser uses
    *,
    key: str | None = None,
    choices: tuple[Any, ...] | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    on: object = None,
    may_change_on_resume: bool = False,
) -> Any:
    """Return an attrs field that declares one parameter.

    Args:
        default: the value when the key is absent. Mutable defaults are given as tuples or None.
        help: one sentence for `adapt params` and starter configs.
        key: the name in a config, where it is not the attribute's (`EPOCHS` for `epochs`). Case never matters.
        choices: the allowed values; a string is matched without regard to case.
        ge, gt, le, lt: bounds of a number (each element's, for a list).
        on: for a switch, the value that turns the feature on (the spec's tables print it as the default).
        may_change_on_resume: False where another value changes the arithmetic of training.
    """
    declaration = Declaration(help, key, choices, ge, gt, le, lt, on, may_change_on_resume)
    return attrs.field(default=default, metadata={_METADATA: declaration}, kw_only=True)


@attrs.frozen
class Parameter:
    """One declared parameter, as readers of declarations see it.

    Attributes:
        attribute: the field's name in its params class.
        key: the name in a config, as documented.
        type: the annotation; `optional` says whether None is allowed too.
        default: the default, None for "not given".
    """

    attribute: str
    key: str
    type: Any
    optional: bool
    default: Any
    declaration: Declaration

    @property
    def folded(self) -> str:
        """The key as it is matched: without regard to case."""
        return self.key.casefold()

    @property
    def is_mapping(self) -> bool:
        """True where a mapping under this key is its value, not a section of further keys."""
        return any(typing.get_origin(kind) is dict or kind is dict for kind in union_members(self.type))

    @property
    def type_name(self) -> str:
        """The type in words, for tables: `int`, `str or null`, `list of str`."""
        names = [_spell(kind) for kind in union_members(self.type)]
        return " or ".join([*names, "null"] if self.optional else names)


def union_members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union type, or the type itself."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return tuple(kind for kind in typing.get_args(annotation) if kind is not type(None))
    return (annotation,)


def _spell(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if origin is tuple:
        return f"list of {' or '.join(map(_spell, union_members(typing.get_args(kind)[0])))}"
    if origin is dict or kind is dict:
        return "mapping"
    return str(getattr(kind, "__name__", kind))


_CACHE: dict[type[Any], dict[str, Parameter]] = {}


def parameters_of(params: type[Any]) -> dict[str, Parameter]:
    """Return the parameters that a params class declares, by folded key, in order of declaration."""
    if params not in _CACHE:
        _CACHE[params] = {parameter.folded: parameter for parameter in _declared(params)}
    return _CACHE[params]


def _declared(params: type) -> Iterator[Parameter]:
    hints = typing.get_type_hints(params)
    for field in attrs.fields(params):
        declaration = field.metadata.get(_METADATA)
        if declaration is None:
            raise TypeError(f"{params.__qualname__}.{field.name} is not declared with adapt_core.plugin.params.param()")
        annotation = hints[field.name]
        optional = type(None) in typing.get_args(annotation)
        members = union_members(annotation)
        bare = members[0] if len(members) == 1 else typing.Union[members]  # noqa: UP007 - built at run time
        yield Parameter(
            attribute=field.name,
            key=declaration.key or field.name,
            type=bare,
            optional=optional,
            default=None if field.default is attrs.NOTHING else field.default,
            declaration=declaration,
        )


def as_keys(params: Any) -> dict[str, Any]:
    """Return a params instance as `{documented key: value}`, for the resolved config."""
    return {p.key: getattr(params, p.attribute) for p in parameters_of(type(params)).values()}


@attrs.frozen
class NoParams:
    """The params class of a task, method, quantizer or launcher that takes none."""
