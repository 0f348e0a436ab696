"""Class labels: their names, their ids, the labels of a row that are not usable, and class weights."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from adapt_core.errors import DataError, first_of
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.row_places import parts_of, place_of
from adapt_core.run_folder.known_classes import require_known

if TYPE_CHECKING:
    from datasets import Dataset

IGNORED = -100
"""The label id that is neither trained nor scored: the `ignore_index` of torch's cross-entropy."""


log = logging.getLogger(__name__)

_WHOLE = re.compile(r"0|-?[1-9][0-9]*")


@attrs.frozen
class Labels:
    """The classes of a data set. A class is known by its name, whatever number a file or split gives it.

    Attributes:
        names: by id.
        numbered: whether the column has positions in `names` (a ClassLabel) in place of the names.
        positions: the names that those are positions in, where they are others than `names`.
        ids: name -> id.
    """

    names: tuple[str, ...]
    numbered: bool = False
    positions: tuple[str, ...] | None = None
    ids: Mapping[str, int] = attrs.field(init=False)

    @ids.default
    def _ids(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    def find(self, value: object) -> int | None:
        """Return the id of a raw label, or None where it names no class."""
        if self.numbered and isinstance(value, int) and not isinstance(value, bool):
            listed = self.names if self.positions is None else self.positions
            return self.ids.get(listed[value]) if 0 <= value < len(listed) else None
        name = label_name(value)
        return None if name is None else self.ids.get(name)

    def id_of(self, value: object) -> int:
        """Return the id of a raw label.

        Raises:
            KeyError: it names no class.
        """
        found = self.find(value)
        if found is None:
            raise KeyError(value)
        return found

    def as_known(self, values: Iterable[object], known: tuple[str, ...]) -> Labels:
        """Return these labels with the ids of a model that knows some classes.

        Args:
            values: the raw labels of the training rows.
            known: the classes by id.

        Raises:
            InputError: one of the values is a class that the model does not know.
        """
        require_known({self.names[number] for value in values if (number := self.find(value)) is not None}, known)
        return Labels(known, self.numbered, self.names if self.numbered else None)

    def fault(self, value: object) -> str | None:
        """Return why a raw label of the training split is not usable, or None."""
        if value is None:
            return "the label is missing (null)"
        return f"label {value!r} is not usable" if self.find(value) is None else None

    def unseen_fault(self, value: object) -> str | None:
        """Return why a raw label of a validation or test row is not usable, or None."""
        if value is None:
            return "the label is missing (null)"
        if isinstance(value, (list, dict)):
            return f"the label is a {type(value).__name__}, not text or a whole number"
        if self.find(value) is not None:
            return None
        known = ", ".join(self.names[:10]) + (", ..." if len(self.names) > 10 else "")
        return f"label {value!r} never occurs in the training split ({known})"


def label_name(value: object) -> str | None:
    """Return the name of the class that a raw label means: a text as it is written, a whole number's digits."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, (bool, int)):
        return str(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else None


def read_labels(dataset: Dataset, column: str, known: tuple[str, ...] | None = None) -> Labels:
    """Return the classes of a training split.

    A ClassLabel column keeps its names and ids. Other labels are numbered as `in_order` says.

    Args:
        dataset: the training split.
        column: of the labels.
        known: the classes by id of the model that goes on, which the labels get; one of them is enough.

    Raises:
        DataError: the column contains neither text nor whole numbers, or fewer than two classes.
        InputError: the model does not know one of the classes.
    """
    labels = _read_labels(dataset, column, 2 if known is None else 1)
    return labels if known is None else labels.as_known(column_values(dataset, column), known)


def _read_labels(dataset: Dataset, column: str, least: int) -> Labels:
    names = getattr(dataset.features[column], "names", None)
    if names:
        return Labels(tuple(names), numbered=True)
    _warn_of_numbers_and_names(dataset, column)
    found = {_name(value, row, dataset, column) for row, value in _values(dataset, column)} - {None}
    classes = [name for name in found if name is not None]
    if len(classes) < least:
        count = "only one class" if classes else "no class"
        raise DataError(f"column {column!r} has {count} in the training split; classification needs two or more.")
    return Labels(in_order(classes, column))


def in_order(names: Iterable[str], column: str) -> tuple[str, ...]:
    """Return the names of a column's classes in the order of their ids, with a warning where two are nearly the same.

    The order is alphabetical, or that of the numbers where each name is a whole number.
    """
    classes = list(names)
    _warn_of_twins(classes, column)
    return tuple(sorted(classes, key=int if all(map(_WHOLE.fullmatch, classes)) else None))


def unusable_label(dataset: Dataset, row: int, column: str, value: object) -> DataError:
    """Return the error of a training row whose label is neither text nor a whole number.

    Args:
        dataset: the training split.
        row: its number, from 1.
        column: of the labels.
        value: the cell.
    """
    place = place_of(dataset, "train", row - 1) or "the data"
    amounts = ", or set problem_type: regression where the column has amounts" if isinstance(value, float) else ""
    return DataError(
        f"training row {row}: column {column!r} contains {str(value)[:80]}: a label must be text or a whole number. "
        f"Correct {place}{amounts}."
    )


def _values(dataset: Dataset, column: str) -> Iterable[tuple[int, object]]:
    for row, value in enumerate(column_values(dataset, column), start=1):
        if isinstance(value, (list, dict)):
            raise unusable_label(dataset, row, column, value)
        yield row, value


def _name(value: object, row: int, dataset: Dataset, column: str) -> str | None:
    unset = value is None or (isinstance(value, str) and not value.strip())
    name = label_name(value)
    if name is None and not unset and not (isinstance(value, float) and not math.isfinite(value)):
        raise unusable_label(dataset, row, column, value)
    return name


def _warn_of_numbers_and_names(dataset: Dataset, column: str) -> None:
    """Warn where the classes of one data set are numbers, and those of another names: they are united as they stand."""
    numbered: list[tuple[str, str]] = []
    named: list[tuple[str, str]] = []
    for place, rows in parts_of(dataset, "train"):
        classes = getattr(rows.features[column], "names", None) if column in rows.column_names else []
        values = column_values(rows, column) if classes is None else classes
        names = {name for value in values if (name := label_name(value)) is not None}
        if names:
            (numbered if all(map(_WHOLE.fullmatch, names)) else named).append((place, min(names)))
    if numbered and named:
        log.warning(
            "column %r: the classes of %s are numbers (%s), and those of %s names (%s), so they are different classes. "
            "If they are the same, write the names in all data sets.",
            column,
            *numbered[0],
            *named[0],
        )


def _warn_of_twins(names: Iterable[str], column: str) -> None:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        alike[" ".join(name.split()).casefold()].append(name)
    twins = [", ".join(map(repr, spellings)) for spellings in alike.values() if len(spellings) > 1]
    if twins:
        log.warning(
            "column %r: classes that differ in white space or case alone are different classes: %s. "
            "If they are meant to be one, write them alike.",
            column,
            "; ".join(twins[:5]),
        )


def class_weights(
    wanted: str | Mapping[str, object] | None, labels: Iterable[int], names: Sequence[str]
) -> list[float] | None:
    """Return the loss weights by class id (CLASS_WEIGHTS), or None where all are equal.

    balanced: rows / (classes * rows of the class), as "balanced" in scikit-learn (King and Zeng, 2001).

    Args:
        wanted: balanced, or a mapping of class to weight.
        labels: the class id of each training row.
        names: the classes by id.

    Raises:
        DataError: a mapping lacks a class of the data or has another one.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str):
        counts = Counter(labels)
        rows = sum(counts.values())
        return [rows / (len(names) * counts[number]) if counts[number] else 0.0 for number in range(len(names))]
    return _weights_by_name(wanted, names)


def label_weights(
    wanted: str | Mapping[str, object] | None, rows: Iterable[Sequence[float]], names: Sequence[str]
) -> list[float] | None:
    """Return the weights of the rows that have each label (CLASS_WEIGHTS of several labels), or None where all are 1.

    balanced: rows without the label / rows with it, so that both weigh as much in its loss; 1 for a label of no row.

    Args:
        wanted: balanced, or a mapping of label to weight.
        rows: 1 for each label of a training row, 0 for the others.
        names: the labels.

    Raises:
        DataError: a mapping lacks a label of the data or has another one.
    """
    if wanted is None:
        return None
    if not isinstance(wanted, str):
        return _weights_by_name(wanted, names)
    targets = list(rows)
    counts = [sum(column) for column in zip(*targets, strict=True)]
    return [(len(targets) - count) / count if count else 1.0 for count in counts]


def _weights_by_name(wanted: Mapping[str, object], names: Sequence[str]) -> list[float]:
    strange, missing = set(wanted) - set(names), set(names) - set(wanted)
    if strange or missing:
        raise DataError(
            f"CLASS_WEIGHTS must name each class once; "
            f"{f'missing: {first_of(sorted(missing))}' if missing else f'unknown: {first_of(sorted(strange))}'}."
        )
    return [float(str(wanted[name])) for name in names]
