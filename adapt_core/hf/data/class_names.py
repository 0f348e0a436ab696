"""Class numbers of one split, by the names of another: two splits may number their classes each in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from adapt_core.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset
    from datasets.features.features import FeatureType

_SHOWN = 10


def with_names_of_train(splits: dict[str, Dataset]) -> dict[str, Dataset]:
    """Renumber the classes of each split (features ClassLabel, and lists of them) as the training split has them.

    Where only the split has names for its numbers, the names stand in place of the numbers if training has texts, or if
    they are numbers themselves: the number 1 of a list that begins with "2" is not the class "1".

    Raises:
        DataError: a split uses a class that the training split does not name.
    """
    train = splits.get("train")
    if train is None:
        return splits
    return {name: rows if rows is train else _renumbered(rows, train, name) for name, rows in splits.items()}


def _renumbered(rows: Dataset, train: Dataset, split: str) -> Dataset:
    for column, feature in train.features.items():
        wanted, given = _names(feature), _names(rows.features.get(column))
        if wanted and given and wanted != given:
            rows = _cast(rows, column, given, wanted, split)
        elif given and not wanted and (_are_texts(feature) or all(name.strip().isdecimal() for name in given)):
            rows = _named(rows, column, given)
    return rows


def with_classes_of(rows: Dataset, features: Mapping[str, FeatureType]) -> Dataset:
    """Return rows whose classes are known by the names of other rows' features, whatever numbers both give them.

    A class that those do not name becomes its name, or -1 in a list of numbers: no class of theirs.

    Args:
        rows: of a data set of its own.
        features: of the rows that a model is trained on.
    """
    for column, feature in rows.features.items():
        given, wanted = _names(feature), _names(features.get(column))
        if given is None or given == wanted:
            continue
        if wanted is None or getattr(feature, "names", None):
            rows = class_texts(rows, column)
        else:
            rows = _in_lists(rows, column, given, wanted)
    return rows


def _in_lists(rows: Dataset, column: str, given: list[str], wanted: list[str]) -> Dataset:
    from datasets import List, Value

    numbers = {name: number for number, name in enumerate(wanted)}
    renumbered = [_renumber(value, given, lambda name: numbers.get(name, -1)) for value in _cells(rows, column)]
    order = rows.column_names
    feature = List(Value("int64"))
    return rows.remove_columns(column).add_column(column, renumbered, feature=feature).select_columns(order)


def _cells(rows: Dataset, column: str) -> Iterable[object]:
    cells: Iterable[object] = rows.with_format(None)[column]
    return cells


def _renumber(value: object, given: Sequence[str], number_of: Callable[[str], int]) -> object:
    """Return a class number, or lists of them, by other numbers; what is no number of a class stays.

    Args:
        value: the number, or lists.
        given: the names that it counts.
        number_of: name -> other number.
    """
    if isinstance(value, list):
        return [_renumber(item, given, number_of) for item in value]
    if not isinstance(value, int) or not 0 <= value < len(given):
        return value
    return number_of(given[value])


def class_texts(rows: Dataset, column: str) -> Dataset:
    """Return rows with the names of a column's classes (a ClassLabel, or lists of them) as texts."""
    names = _names(rows.features[column])
    if names is None:
        return rows
    order = rows.column_names
    return _named(rows, column, names).select_columns(order)


def _named(rows: Dataset, column: str, names: list[str]) -> Dataset:
    """Return rows whose classes are texts in place of numbers."""
    from datasets import List, Value

    def name(value: object) -> object:
        if isinstance(value, list):
            return [name(item) for item in value]
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else None

    text = Value("string")
    feature = text if getattr(rows.features[column], "names", None) else List(text)
    named = [name(value) for value in rows.with_format(None)[column]]
    return rows.remove_columns(column).add_column(column, named, feature=feature)


def _are_texts(feature: FeatureType) -> bool:
    return "string" in str(getattr(getattr(feature, "feature", feature), "dtype", ""))


def _names(feature: FeatureType | None) -> list[str] | None:
    names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
    return list(names) if names else None


def _cast(rows: Dataset, column: str, given: list[str], wanted: list[str], split: str) -> Dataset:
    from datasets import ClassLabel, List

    numbers = {name: number for number, name in enumerate(wanted)}

    def number_of(name: str) -> int:
        if name not in numbers:
            raise DataError(
                f"the {split} split uses the class {name!r} in column {column!r}, which the training split "
                f"does not name ({', '.join(wanted[:_SHOWN])})."
                " Correct the label, or add rows of that class to the training split."
            )
        return numbers[name]

    features = rows.features.copy()
    label = ClassLabel(names=wanted)
    features[column] = label if getattr(features[column], "names", None) else List(label)
    renumbered = [_renumber(value, given, number_of) for value in _cells(rows, column)]
    return rows.remove_columns(column).add_column(column, renumbered, feature=features[column])
