"""csv and tsv: a cell is text, as it is written; an empty one is a missing value.

A column is numbers only where each of its cells, in every split, is a number in its canonical form: the number then
spells the cell again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from adapt_core.errors import DataError
from adapt_core.hf.data.tables.dialect import Dialect, rows, utf8

BATCH = 10_000
_USUAL = {".csv": Dialect(","), ".tsv": Dialect("\t")}


def header_of(path: Path, dialect: Dialect) -> list[str]:
    """Return the names of a file's columns, without the white space around them.

    Raises:
        DataError: there is none, or a name occurs twice.
    """
    names = [name.strip() for name in next((cells for _, cells in rows(path, dialect)), [])]
    if not names:
        raise DataError(f"{path} is empty. Add rows, or remove the file.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path}:1: the header names the column {twice[0]!r} twice. Rename one of them.")
    return [name or f"column_{number}" for number, name in enumerate(names, start=1)]


def remark(path: Path, dialect: Dialect) -> str | None:
    """Return what to say of a dialect that a file's suffix does not promise, or None."""
    usual = _USUAL.get(path.suffix.casefold(), dialect)
    return None if dialect == usual else f"{path.name}: {dialect}"


@attrs.define
class ColumnTypes:
    """The type of each column, from the cells that were seen."""

    _left: dict[str, list[str]] = attrs.field(factory=dict)
    _filled: set[str] = attrs.field(factory=set)

    def see(self, path: Path, dialect: Dialect) -> None:
        """Take the cells of a file into account."""
        names = header_of(path, dialect)
        for name in names:
            self._left.setdefault(name, list(NUMBERS))
        for _, cells in islice(rows(path, dialect), 1, None):
            if not any(self._left.values()):
                return
            for name, cell in zip(names, cells, strict=True):
                if cell and self._left[name]:
                    self._filled.add(name)
                    self._left[name] = [kind for kind in self._left[name] if _spells(cell, NUMBERS[kind])]

    def of(self, name: str) -> str:
        """Return "int64", "float64" or "string"."""
        return self._left[name][0] if name in self._filled and self._left.get(name) else "string"


NUMBERS: Mapping[str, type[int] | type[float]] = {"int64": int, "float64": float}
_LARGEST = 2**63


def _spells(cell: str, kind: type[int] | type[float]) -> bool:
    try:
        number = kind(cell)
    except ValueError:
        return False
    return str(number) == cell and math.isfinite(number) and (kind is float or -_LARGEST <= number < _LARGEST)


def batches(path: Path, dialect: Dialect, types: ColumnTypes) -> Iterator[Mapping[str, list[Any]]]:
    """Yield batches of rows as columns of text or numbers; None for an empty cell."""
    names = header_of(path, dialect)
    kinds = _conversions(names, types)
    content = islice(rows(path, dialect), 1, None)
    while batch := list(islice(content, BATCH)):
        columns = zip(*(cells for _, cells in batch), strict=True)
        yield {
            name: [kind(cell) if cell else None for cell in cells]
            for name, kind, cells in zip(names, kinds, columns, strict=True)
        }


def placed_rows(path: Path, dialect: Dialect, types: ColumnTypes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each row with the line at which it begins; None for an empty cell."""
    names = header_of(path, dialect)
    kinds = _conversions(names, types)
    for line, cells in islice(rows(path, dialect), 1, None):
        yield line, {n: kind(cell) if cell else None for n, kind, cell in zip(names, kinds, cells, strict=True)}


def _conversions(names: Sequence[str], types: ColumnTypes) -> list[type[int] | type[float] | type[str]]:
    return [NUMBERS.get(types.of(name), str) for name in names]


def line_batches(path: Path) -> Iterator[Mapping[str, list[str]]]:
    """Yield batches of the lines of a text file, empty ones too, as the column "text"."""
    with utf8(path), path.open(encoding="utf-8-sig", newline=None) as file:
        lines = (line.rstrip("\n") for line in file)
        while batch := list(islice(lines, BATCH)):
            yield {"text": batch}
