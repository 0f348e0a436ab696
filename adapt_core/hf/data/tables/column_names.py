"""The columns of a table as its first rows, its header or its schema show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Columns: TypeAlias = "Mapping[str, Sequence[str]]"
"""The names of a split's columns -> the keys of the mappings in the column, none where its cells are no mappings."""

Suffices: TypeAlias = "Callable[[Columns], bool]"
"""Whether no other columns need be known."""


def columns_of_rows(rows: Iterable[Mapping[str, Any]], suffices: Suffices = lambda _: False) -> Columns:
    """Return the columns of rows, which are read until these suffice."""
    columns: dict[str, list[str]] = {}
    for row in rows:
        if _add(columns, row) and suffices(columns):
            break
    return columns


def _add(columns: dict[str, list[str]], row: Mapping[str, Any]) -> bool:
    """Add what a row shows, and return whether it is anything new."""
    new = False
    for name, cell in row.items():
        new = new or name not in columns
        keys = columns.setdefault(name, [])
        for key in cell if isinstance(cell, dict) else ():
            if key not in keys:
                keys.append(key)
                new = True
    return new
