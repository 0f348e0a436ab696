"""csv and tsv: a cell is text, as it is written; an empty one is a missing value.

A column is numbers only where each of its cells, in every split, is a number in its canonical form: the number then
spells the cell again. Where commas do not separate cells, a column of numbers of which some have a decimal comma
(1.234,5) is numbers too.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from adapt_core.errors import DataError, first_of
from adapt_core.hf.data.tables.dialect import Dialect, rows
from adapt_core.hf.data.tables.encodings import UTF8, decoded

BATCH = 10_000
_WITH_COMMA = re.compile(r"-?(\d+|\d{1,3}(\.\d{3})+(?=,))(,\d+)?")
_USUAL = {".csv": Dialect(","), ".tsv": Dialect("\t")}


def header_of(path: Path, dialect: Dialect) -> list[str]:
    """Return the names of a file's columns, without the white space around them.

    Raises:
        DataError: there is none, or a name occurs twice.
    """
    names = next((cells for _, cells in rows(path, dialect)), [])
    if not names:
        raise DataError(f"{path} is empty. Add rows, or remove the file.")
    return named_columns(names, f"{path}:1")


def named_columns(header: Sequence[str], where: str) -> list[str]:
    """Return the names of columns, without the white space around them; `column_3` where the header has none.

    Args:
        header: its cells.
        where: its place, for the message.

    Raises:
        DataError: a name occurs twice.
    """
    names = [name.strip() for name in header]
    twice = [name for name, count in Counter(filter(None, names)).items() if count > 1]
    if twice:
        raise DataError(f"{where}: the header names the column {twice[0]!r} twice. Rename one of them.")
    return [name or f"column_{number}" for number, name in enumerate(names, start=1)]


def remark(path: Path, dialect: Dialect, commas: Sequence[str] = ()) -> str | None:
    """Return what to say of a dialect that a file's suffix does not promise, or None.

    Args:
        path: the file.
        dialect: its own.
        commas: the columns whose numbers have a decimal comma.
    """
    usual = _USUAL.get(path.suffix.casefold(), dialect)
    decimal = f", numbers with a decimal comma ({first_of(commas)})" if commas else ""
    return None if dialect == usual and not commas else f"{path.name}: {dialect}{decimal}"


@attrs.define
class ColumnTypes:
    """The type of each column, from the cells that were seen."""

    _left: dict[str, list[str]] = attrs.field(factory=dict)
    _filled: set[str] = attrs.field(factory=set)
    _commas: set[str] = attrs.field(factory=set)

    def see(self, names: Sequence[str], content: Iterable[Sequence[str]], *, commas: bool = False) -> None:
        """Take the cells of a table into account.

        Args:
            names: of the columns.
            content: its rows.
            commas: whether a comma may stand before decimals.
        """
        for name in names:
            self._left.setdefault(name, [*NUMBERS, _DECIMAL])
        for cells in content:
            if not any(map(self._left.get, names)):
                return
            for name, cell in zip(names, cells, strict=True):
                if cell and self._left[name]:
                    self._filled.add(name)
                    self._left[name] = [kind for kind in self._left[name] if _is(cell, kind, commas=commas)]
                    if commas and "," in cell:
                        self._commas.add(name)

    def of(self, name: str) -> str:
        """Return "int64", "float64" or "string"."""
        kind = next(iter(self._left.get(name, ())), "string") if name in self._filled else "string"
        if kind != _DECIMAL:
            return kind
        return "float64" if name in self._commas else "string"

    def with_commas(self, names: Iterable[str]) -> list[str]:
        """Return those columns that are numbers for their decimal commas."""
        return [name for name in names if name in self._commas and self.of(name) == "float64"]


_DECIMAL = "decimal comma"
NUMBERS: Mapping[str, type[int] | type[float]] = {"int64": int, "float64": float}
_LARGEST = 2**63


def _is(cell: str, kind: str, *, commas: bool) -> bool:
    """Return whether a cell may be of a kind: of `NUMBERS`, or a number with or without a decimal comma."""
    if kind != _DECIMAL:
        return _spells(cell, NUMBERS[kind])
    return _WITH_COMMA.fullmatch(cell) is not None if commas else any(_spells(cell, one) for one in NUMBERS.values())


def _spells(cell: str, kind: type[int] | type[float]) -> bool:
    try:
        number = kind(cell)
    except ValueError:
        return False
    return str(number) == cell and math.isfinite(number) and (kind is float or -_LARGEST <= number < _LARGEST)


def content_of(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows below the header, each with its line."""
    return islice(rows(path, dialect), 1, None)


def batches(
    names: Sequence[str], content: Iterable[Sequence[str]], types: ColumnTypes
) -> Iterator[Mapping[str, list[Any]]]:
    """Yield batches of rows as columns of text or numbers; None for an empty cell."""
    kinds, left = _conversions(names, types), iter(content)
    while batch := list(islice(left, BATCH)):
        yield {
            name: [kind(cell) if cell else None for cell in cells]
            for name, kind, cells in zip(names, kinds, zip(*batch, strict=True), strict=True)
        }


def values_of(names: Sequence[str], cells: Sequence[str], types: ColumnTypes) -> dict[str, Any]:
    """Return a row as a mapping; None for an empty cell."""
    kinds = _conversions(names, types)
    return {n: kind(cell) if cell else None for n, kind, cell in zip(names, kinds, cells, strict=True)}


def _conversions(names: Sequence[str], types: ColumnTypes) -> list[Callable[[str], Any]]:
    with_commas = set(types.with_commas(names))
    return [_decimal if name in with_commas else NUMBERS.get(types.of(name), str) for name in names]


def _decimal(cell: str) -> float:
    return float(cell.replace(".", "").replace(",", ".") if "," in cell else cell)


def line_batches(path: Path) -> Iterator[Mapping[str, list[str]]]:
    """Yield batches of the lines of a text file, empty ones too, as the column "text"."""
    with decoded(path), path.open(encoding=UTF8, newline=None) as file:
        lines = (line.rstrip("\n") for line in file)
        while batch := list(islice(lines, BATCH)):
            yield {"text": batch}
