"""Where a row of a split stands: its file and line, found again by reading the split up to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from adapt_core.contracts.format import Format, Place, Row
from adapt_core.contracts.recognition import Recognised

if TYPE_CHECKING:
    from datasets import Dataset

_READ: dict[str, Recognised] = {}
"""Fingerprint of the rows of a split, as its format gave them -> the split."""


def good_rows(reader: Format, place: Place) -> Iterator[Row]:
    """Yield the rows of a split that have no fault."""
    return (row for row in reader.read(place) if row.fault is None)


def remember(rows: Dataset, found: Recognised) -> None:
    """Keep which split rows are read from."""
    _READ[rows._fingerprint] = found


def place_of(rows: Dataset, number: int) -> str | None:
    """Return the file and line of a row, or None where the rows are not as a format gave them.

    Args:
        rows: of a split.
        number: from 0.
    """
    found = _READ.get(rows._fingerprint)
    if found is None:
        return None
    row: Row | None = next(islice(good_rows(found.format, found.place), number, None), None)
    return None if row is None else str(row)
