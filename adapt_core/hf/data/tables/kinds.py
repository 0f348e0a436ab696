"""The one type of a JSON column, over all of its rows and splits.

A column that has text in one row is text in every row: a number among texts keeps the digits that the file has. Objects
whose keys differ in more than plain values are kept as JSON, so that no row gets a key that it does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import pyarrow

_LARGEST = 2**63


@attrs.define
class Kind:
    """What the values of a column, of a list's items or of a key were seen to be.

    Attributes:
        scalars: names of the plain types seen: "text", "integer", "number", "boolean".
        items: of lists, or None where no list was seen.
        keys: of objects, each with its kind, or None where no object was seen.
        optional: keys that some object lacks.
        objects: how many objects were seen.
    """

    scalars: set[str] = attrs.field(factory=set)
    items: Kind | None = None
    keys: dict[str, Kind] | None = None
    optional: set[str] = attrs.field(factory=set)
    objects: int = 0

    def see(self, value: Any) -> None:
        """Take a value into account; None says nothing."""
        if isinstance(value, str):
            self.scalars.add("text")
        elif isinstance(value, bool):
            self.scalars.add("boolean")
        elif isinstance(value, int):
            self.scalars.add("integer" if -_LARGEST <= value < _LARGEST else "text")
        elif isinstance(value, float):
            self.scalars.add("number")
        elif isinstance(value, list):
            self.items = self.items or Kind()
            for item in value:
                self.items.see(item)
        elif isinstance(value, dict):
            self._see_object(value)

    def _see_object(self, value: Mapping[str, Any]) -> None:
        if self.keys is None:
            self.keys = {}
        self.optional.update(key for key in self.keys if key not in value)
        if self.objects:
            self.optional.update(key for key in value if key not in self.keys)
        self.objects += 1
        for key, item in value.items():
            self.keys.setdefault(key, Kind()).see(item)

    @property
    def is_mixed(self) -> bool:
        """Whether plain values of several types make this text."""
        return len(self.scalars) > 1 and self.scalars != {"integer", "number"}

    @property
    def any_mixed(self) -> bool:
        """Whether this, or anything inside, is text made of several types."""
        inside = [*([self.items] if self.items else []), *(self.keys or {}).values()]
        return self.is_mixed or any(kind.any_mixed for kind in inside)

    @property
    def is_json(self) -> bool:
        """Whether only JSON itself can hold the values as they are."""
        if sum((bool(self.scalars), self.items is not None, self.keys is not None)) > 1:
            return True
        if self.keys is None:
            return False
        if not self.keys:
            return True
        return any(kind.is_json or (key in self.optional and kind.holds_container) for key, kind in self.keys.items())

    @property
    def holds_container(self) -> bool:
        """Whether lists or objects were seen."""
        return self.items is not None or self.keys is not None

    def feature(self) -> Any:
        """Return the feature of Hugging Face datasets that holds such values."""
        from datasets import Json, List, Value

        if self.is_json:
            return Json()
        if self.items is not None:
            return List(self.items.feature())
        if self.keys is not None:
            return {key: kind.feature() for key, kind in self.keys.items()}
        if self.is_mixed or "text" in self.scalars:
            return Value("string")
        if "number" in self.scalars:
            return Value("float64")
        return Value({"integer": "int64", "boolean": "bool"}.get(next(iter(self.scalars), ""), "null"))

    def fit(self, value: Any) -> Any:
        """Return a value as its column holds it: numbers among texts become text, with the digits of the file."""
        if value is None or self.is_json:
            return _plain(value)
        if isinstance(value, list):
            return [self.items.fit(item) for item in value] if self.items else value
        if isinstance(value, dict):
            return {key: kind.fit(value.get(key)) for key, kind in (self.keys or {}).items()}
        if self.is_mixed or "text" in self.scalars:
            return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        if isinstance(value, Literal):
            return float(value) if "number" in self.scalars else int(value)
        return float(value) if "number" in self.scalars else value


class Literal(str):
    """A number as the file spells it."""

    __slots__ = ()

    def number(self) -> int | float:
        """Return the number."""
        return float(self) if any(sign in self for sign in ".eE") else int(self)


def _plain(value: Any) -> Any:
    if isinstance(value, Literal):
        return value.number()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def see_rows(kinds: dict[str, Kind], rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Take rows into account in the kinds of their columns; return the columns that occur."""
    names: set[str] = set()
    for row in rows:
        for name, value in row.items():
            if name not in names:
                names.add(name)
                kinds.setdefault(name, Kind())
            kinds[name].see(value)
    return names


def storage(values: list[Any], feature: Any) -> pyarrow.Array:
    """Return fitted values as the Arrow array of a feature."""
    import pyarrow
    from datasets import Dataset, Features

    features = Features({"column": feature})
    if _has_json(feature):
        return Dataset.from_dict({"column": values}, features=features).data.table.column("column")
    return pyarrow.array(values, type=features.arrow_schema.field("column").type)


def _has_json(feature: Any) -> bool:
    from datasets import Json, List

    if isinstance(feature, List):
        return _has_json(feature.feature)
    if isinstance(feature, dict):
        return any(_has_json(inside) for inside in feature.values())
    return isinstance(feature, Json)
