"""csv and tsv: a cell is text, as it is written; an empty one is a missing value.

A column is numbers only where each of its cells, in every split, is a number in its canonical form: the number then
spells the cell again. A cell with a comma is text: its comma may stand before decimals or thousands, or part labels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from adapt_core.errors import DataError
from adapt_core.hf.data.tables.dialect import Dialect, rows
from adapt_core.hf.data.tables.encodings import UTF8, decoded

BATCH = 10_000
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


def remark(path: Path, dialect: Dialect) -> str | None:
    """Return what to say of a dialect that a file's suffix does not promise, or None."""
    return None if dialect == _USUAL.get(path.suffix.casefold(), dialect) else f"{path.name}: {dialect}"


@attrs.define
class ColumnTypes:
    """The type of each column: as it is declared, or from the cells that were seen."""

    _declared: Mapping[str, str] = attrs.field(factory=dict)
    _left: dict[str, list[str]] = attrs.field(factory=dict)
    _filled: set[str] = attrs.field(factory=set)

    def see(self, names: Sequence[str], content: Iterable[Sequence[str]]) -> None:
        """Take the cells of a table into account.

        Args:
            names: of the columns.
            content: its rows.
        """
        for name in names:
            self._left.setdefault(name, list(NUMBERS))
        for cells in content:
            if not any(map(self._left.get, names)):
                return
            for name, cell in zip(names, cells, strict=True):
                if cell and self._left[name]:
                    self._filled.add(name)
                    self._left[name] = [kind for kind in self._left[name] if _spells(cell, NUMBERS[kind])]

    def of(self, name: str) -> str:
        """Return "int64", "float64" or "string"."""
        if name in self._declared:
            return self._declared[name]
        return next(iter(self._left.get(name, ())), "string") if name in self._filled else "string"


NUMBERS: Mapping[str, type[int] | type[float]] = {"int64": int, "float64": float}
_LARGEST = 2**63


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
    return [NUMBERS.get(types.of(name), str) for name in names]


def line_batches(path: Path) -> Iterator[Mapping[str, list[str]]]:
    """Yield batches of the lines of a text file, empty ones too, as the column "text"."""
    with decoded(path), path.open(encoding=UTF8, newline=None) as file:
        lines = (line.rstrip("\n") for line in file)
        while batch := list(islice(lines, BATCH)):
            yield {"text": batch}
