"""The one type of a JSON column, over all of its rows and splits.

What one type of Arrow cannot hold as it is, is kept as JSON: texts among which a number occurs, objects whose keys
differ in more than plain values. So no row gets another value, or a key, that the file does not give it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import pyarrow
    from datasets.features.features import FeatureType

_LARGEST = 2**63


@attrs.define
class Kind:
    """The kinds of values seen in a column, a list's items or a key.

    Attributes:
        scalars: names of the plain types seen: "text", "integer", "huge integer" (beyond 64 bits), "number", "boolean".
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

    def see(self, value: object) -> None:
        """Take a value into account; None says nothing."""
        if isinstance(value, str):
            self.scalars.add("text")
        elif isinstance(value, bool):
            self.scalars.add("boolean")
        elif isinstance(value, int):
            self.scalars.add("integer" if -_LARGEST <= value < _LARGEST else "huge integer")
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
    def is_json(self) -> bool:
        """True where only JSON itself can hold the values as they are."""
        if len(self.scalars) > 1 and self.scalars != {"integer", "number"}:
            return True
        if sum((bool(self.scalars), self.items is not None, self.keys is not None)) > 1:
            return True
        if self.keys is None:
            return False
        if not self.keys:
            return True
        return any(kind.is_json or (key in self.optional and kind.holds_container) for key, kind in self.keys.items())

    @property
    def holds_container(self) -> bool:
        """True where lists or objects were seen."""
        return self.items is not None or self.keys is not None

    def feature(self) -> FeatureType:
        """Return the feature of Hugging Face datasets that holds such values."""
        from datasets import Json, List, Value

        if self.is_json or "huge integer" in self.scalars:
            return Json()
        if self.items is not None:
            return List(self.items.feature())
        if self.keys is not None:
            return {key: kind.feature() for key, kind in self.keys.items()}
        if "number" in self.scalars:
            return Value("float64")
        return Value(_TYPES.get(next(iter(self.scalars), ""), "null"))

    def encode(self, value: object) -> Any:
        """Return a value as `feature` stores it: the text of JSON where that is JSON.

        Json would take a string that happens to be JSON ("1", "null") for the JSON itself.
        """
        if value is None:
            return None
        if self.is_json or "huge integer" in self.scalars:
            return json.dumps(_within_64_bits(value))
        if isinstance(value, list) and self.items is not None:
            return [self.items.encode(item) for item in value]
        if isinstance(value, dict) and self.keys is not None:
            return {key: kind.encode(value.get(key)) for key, kind in self.keys.items()}
        return float(value) if "number" in self.scalars and isinstance(value, int) else value


def _within_64_bits(value: object) -> Any:
    """A value whose integers the reader of Json can give back: larger ones as their digits."""
    if isinstance(value, list):
        return [_within_64_bits(item) for item in value]
    if isinstance(value, dict):
        return {key: _within_64_bits(item) for key, item in value.items()}
    huge = isinstance(value, int) and not -_LARGEST <= value < _LARGEST
    return str(value) if huge else value


_TYPES = {"text": "string", "integer": "int64", "boolean": "bool"}


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


def storage(values: Sequence[object], feature: FeatureType) -> pyarrow.Array:
    """Return fitted values as the Arrow array of a feature."""
    import pyarrow
    from datasets import Dataset, Features

    features = Features({"column": feature})
    if _has_json(feature):
        return Dataset.from_dict({"column": values}, features=features).data.table.column("column")
    return pyarrow.array(values, type=features.arrow_schema.field("column").type)


def _has_json(feature: FeatureType) -> bool:
    from datasets import Json, List

    if isinstance(feature, List):
        return _has_json(feature.feature)
    if isinstance(feature, dict):
        return any(_has_json(inside) for inside in feature.values())
    return isinstance(feature, Json)
