"""The targets of rows: which cells are usable, and what a model is given of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import attrs

from adapt_core.hf.data.columns import column_values, number_of
from adapt_core.hf.data.labels import Labels
from adapt_core.hf.problems.decimal_commas import decimal_of
from adapt_core.hf.problems.kinds import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from adapt_core.hf.problems.written_lists import list_fault, read_list

if TYPE_CHECKING:
    from datasets import Dataset

Target = int | list[float]
"""A class id; or 1.0 for each label of a row and 0.0 for the others; or the numbers of a row."""

NONE = "no label"
"""What stands in place of the labels of a row that has none."""


class Targets(Protocol):
    """The cells of a row's target, read. A value is the cell of one column, or a tuple of those of several.

    Attributes:
        kind: of the problem.
        names: of the labels or numbers, in the order of the model's outputs.
    """

    kind: ClassVar[str]

    @property
    def names(self) -> tuple[str, ...]: ...

    def fault(self, value: object) -> str | None:
        """Return why the value of a training row is not usable, or None."""

    def unseen_fault(self, value: object) -> str | None:
        """Return why the value of a validation or test row is not usable, or None."""

    def encode(self, value: object) -> Target:
        """Return the target of a row without a fault."""

    def strata(self, values: Sequence[object]) -> Sequence[Hashable]:
        """Return the stratum of each row without a fault: held-out rows have the same shares of them."""


@attrs.frozen
class OneLabel:
    """One label in one column."""

    kind: ClassVar[str] = SINGLE_LABEL
    labels: Labels

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels.names

    def fault(self, value: object) -> str | None:
        return self.labels.fault(value)

    def unseen_fault(self, value: object) -> str | None:
        return self.labels.unseen_fault(value)

    def encode(self, value: object) -> int:
        return self.labels.id_of(value)

    def strata(self, values: Sequence[Any]) -> Sequence[Hashable]:
        return values


@attrs.frozen
class LabelSets:
    """The labels of a row in one column: a list, or a text of several.

    Attributes:
        labels: all that occur in training.
        separator: between the labels of a text; None where a text is one label.
    """

    kind: ClassVar[str] = MULTI_LABEL
    labels: Labels
    separator: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels.names

    def fault(self, value: object) -> str | None:
        return self._fault(value, self.labels.fault)

    def unseen_fault(self, value: object) -> str | None:
        return self._fault(value, self.labels.unseen_fault)

    def _fault(self, value: object, of_label: Any) -> str | None:
        if value is None and self.separator is None:
            return "the labels are missing (null); an empty list says that a row has none"
        if isinstance(value, dict):
            return f"the labels are a mapping, {str(value)[:60]}, not a list of names"
        if (unreadable := list_fault(value)) is not None:
            return unreadable
        found = labels_in(value, self.separator)
        fault = next(filter(None, map(of_label, found)), None)
        if fault is not None:
            return str(fault)
        twice = [name for name, count in Counter(map(self.labels.id_of, found)).items() if count > 1]
        return f"label {self.names[twice[0]]!r} stands there twice" if twice else None

    def encode(self, value: object) -> list[float]:
        ids = set(map(self.labels.id_of, labels_in(value, self.separator)))
        return [float(number in ids) for number in range(len(self.names))]

    def strata(self, values: Sequence[object]) -> Sequence[Hashable]:
        return _rarest(self.names, list(map(self.encode, values)))


def labels_in(value: object, separator: str | None) -> list[object]:
    """Return the labels of a cell: the items of a list, the parts of a text, or the cell itself; none of null."""
    if value is None:
        return []
    listed = read_list(value)
    if listed is not None:
        return listed
    if isinstance(value, str) and separator is not None:
        return [part.strip() for part in value.split(separator)] if value.strip() else []
    return [value]


@attrs.frozen
class OneHot:
    """1 for each label that a row has and 0 for the others: in a column for each label, or in a list in one column.

    Attributes:
        names: the columns, or the places in the list.
        listed: the column that has them in lists, or None.
    """

    kind: ClassVar[str] = MULTI_LABEL
    names: tuple[str, ...]
    listed: str | None = None

    def fault(self, value: object) -> str | None:
        if (fault := _list_fault(value, self.listed, self.names, "numbers 0 and 1")) is not None:
            return fault
        for name, cell in zip(self.names, _listed_cells(value, self.listed), strict=True):
            if cell is None:
                return f"column {name!r} is missing (null), not 0 or 1"
            if one_or_zero(cell) is None:
                return f"column {name!r} is {cell!r}, not 0 or 1"
        return None

    unseen_fault = fault

    def encode(self, value: object) -> list[float]:
        return [float(one_or_zero(cell) or 0.0) for cell in _listed_cells(value, self.listed)]

    def strata(self, values: Sequence[object]) -> Sequence[Hashable]:
        return _rarest(self.names, list(map(self.encode, values)))


@attrs.frozen
class Numbers:
    """The numbers of a row: the cells of columns, or a list in one column. They are learned as they are.

    Attributes:
        names: of the numbers.
        listed: the column that has them in lists, or None.
        commas: those of the names whose texts have decimal commas.
    """

    kind: ClassVar[str] = REGRESSION
    names: tuple[str, ...]
    listed: str | None = None
    commas: frozenset[str] = frozenset()

    def fault(self, value: object) -> str | None:
        if (fault := _list_fault(value, self.listed, self.names, "numbers")) is not None:
            return fault
        names = self.names if self.listed is None else [self.listed] * len(self.names)
        return next(filter(None, map(self._cell_fault, names, _listed_cells(value, self.listed))), None)

    unseen_fault = fault

    def encode(self, value: object) -> list[float]:
        cells = _listed_cells(value, self.listed)
        return [float(self._number(name, cell) or 0.0) for name, cell in zip(self.names, cells, strict=True)]

    def strata(self, values: Sequence[object]) -> Sequence[Hashable]:
        return [0] * len(values)

    def _number(self, name: str, cell: object) -> float | None:
        return decimal_of(cell) if name in self.commas and isinstance(cell, str) else number_of(cell)

    def _cell_fault(self, name: str, cell: object) -> str | None:
        if cell is None:
            return f"column {name!r} is missing (null), not a number"
        if self._number(name, cell) is not None:
            return None
        infinite = isinstance(cell, float) and not math.isfinite(cell)
        what = "number with a decimal comma" if name in self.commas else f"{'finite ' if infinite else ''}number"
        return f"column {name!r} is {cell!r}, not a {what}"


def _list_fault(value: object, column: str | None, names: Sequence[str], what: str) -> str | None:
    """Return why the value of a column of lists is none with an item for each name, or None; None of other columns."""
    if column is None:
        return None
    items = read_list(value)
    if items is None:
        return f"column {column!r} is {value!r}, not a list of {len(names)} {what}"
    if len(items) != len(names):
        return f"column {column!r} has {len(items)} {what}, not {len(names)} as other rows"
    return None


def _listed_cells(value: object, column: str | None) -> Sequence[object]:
    """Return the items of a column of lists, or the cells of a value where there is no such column."""
    return cells_of(value) if column is None else read_list(value) or ()


def one_or_zero(cell: object) -> float | None:
    """Return a cell of a label's column as 1.0 or 0.0, None where it is neither. Booleans and texts of them count."""
    if isinstance(cell, str) and cell.strip().casefold() in ("true", "false"):
        return float(cell.strip().casefold() == "true")
    number = float(cell) if isinstance(cell, bool) else number_of(cell)
    return number if number in (0.0, 1.0) else None


def cells_of(value: object) -> tuple[object, ...]:
    """Return the cells of a value: those of several columns, or that of one."""
    return value if isinstance(value, tuple) else (value,)


def _rarest(names: Sequence[str], targets: Sequence[Sequence[float]]) -> list[str]:
    """Return the rarest label of each row, by which rows are held out: so its rows come into both parts."""
    counts = [sum(column) for column in zip(*targets, strict=True)] if targets else []
    return [
        names[min((number for number, has in enumerate(row) if has), key=counts.__getitem__)] if any(row) else NONE
        for row in targets
    ]


def labels_of(target: Target, names: Sequence[str]) -> list[str]:
    """Return the labels of a target by name."""
    if isinstance(target, int):
        return [names[target]]
    return [name for name, has in zip(names, target, strict=True) if has]


def row_value(row: Mapping[str, Any], columns: Sequence[str]) -> Any:
    """Return the value of a row, as `target_values` does."""
    return row[columns[0]] if len(columns) == 1 else tuple(row[column] for column in columns)


def target_values(rows: Dataset, columns: Sequence[str]) -> Iterator[Any]:
    """Yield the value of each row: the cell of one column, or a tuple of those of several."""
    values = [column_values(rows, column) for column in columns]
    return values[0] if len(values) == 1 else zip(*values, strict=True)


def batch_values(batch: Mapping[str, Sequence[Any]], columns: Sequence[str]) -> Sequence[Any]:
    """Return the value of each row of a batch of columns, as `target_values` does."""
    cells = [batch[column] for column in columns]
    return cells[0] if len(cells) == 1 else list(zip(*cells, strict=True))
