"""How a split was read: where a row stands, found again by reading up to it, and how many rows are dropped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from adapt_core.contracts.format import Format, Place, Row
from adapt_core.contracts.recognition import Recognised

if TYPE_CHECKING:
    from datasets import Dataset

_READ: dict[tuple[str, str], Recognised] = {}
"""Fingerprint of the rows of a split, as its format gave them, and the split's name -> how it was read.

Two splits of the same rows have one fingerprint.
"""


_DROPPED: dict[tuple[str, str], int] = {}
"""Fingerprint of the rows of a split, and the split's name -> the rows that its format could not read."""


_PARTS: dict[tuple[str, str], list[tuple[str, Dataset]]] = {}
"""Fingerprint of the rows of a split that are of several data sets, and the split's name -> each with its own rows."""


def good_rows(reader: Format, place: Place) -> Iterator[Row]:
    """Yield the rows of a split that have no fault."""
    return (row for row in reader.read(place) if row.fault is None)


def remember(rows: Dataset, found: Recognised, dropped: int = 0) -> None:
    """Keep which split rows are read from.

    Args:
        rows: as the format gave them.
        found: the split.
        dropped: its rows that the format could not read.
    """
    _READ[rows._fingerprint, found.place.split] = found
    _DROPPED[rows._fingerprint, found.place.split] = dropped


def remember_parts(rows: Dataset, parts: list[tuple[str, Dataset]], split: str) -> None:
    """Keep of which data sets the rows of a split are.

    Args:
        rows: of all, one after the other.
        parts: each data set's name with its rows, in the same order.
        split: their split.
    """
    _PARTS[rows._fingerprint, split] = parts


def remember_renamed(rows: Dataset, renamed: Dataset, split: str) -> None:
    """Keep that the rows of a split with other names of columns are the same rows."""
    if (rows._fingerprint, split) in _READ:
        _READ[renamed._fingerprint, split] = _READ[rows._fingerprint, split]
    _DROPPED[renamed._fingerprint, split] = dropped_of(rows, split)


def parts_of(rows: Dataset, split: str) -> list[tuple[str, Dataset]]:
    """Return the data sets that the rows of a split are of, each with its rows; empty where they are of one."""
    return _PARTS.get((rows._fingerprint, split), [])


def dropped_of(rows: Dataset, split: str) -> int:
    """Return how many rows were dropped as a split was read; 0 where the rows are not as a format gave them."""
    own = sum(dropped_of(part, split) for _, part in parts_of(rows, split))
    return own + _DROPPED.get((rows._fingerprint, split), 0)


def place_of(rows: Dataset, split: str, number: int) -> str | None:
    """Return the file and line of a row, or None where the rows are not as a format gave them.

    Args:
        rows: of a split.
        split: its name.
        number: from 0.
    """
    for name, own in parts_of(rows, split):
        if number < len(own):
            return place_of(own, split, number) or f"row {number + 1} of {name}"
        number -= len(own)
    found = _READ.get((rows._fingerprint, split))
    if found is None:
        return None
    row: Row | None = next(islice(good_rows(found.format, found.place), number, None), None)
    return None if row is None else str(row)
