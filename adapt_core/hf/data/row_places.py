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


def dropped_of(rows: Dataset, split: str) -> int:
    """Return how many rows were dropped as a split was read; 0 where the rows are not as a format gave them."""
    return _DROPPED.get((rows._fingerprint, split), 0)


def place_of(rows: Dataset, split: str, number: int) -> str | None:
    """Return the file and line of a row, or None where the rows are not as a format gave them.

    Args:
        rows: of a split.
        split: its name.
        number: from 0.
    """
    found = _READ.get((rows._fingerprint, split))
    if found is None:
        return None
    row: Row | None = next(islice(good_rows(found.format, found.place), number, None), None)
    return None if row is None else str(row)
