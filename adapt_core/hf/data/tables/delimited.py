"""csv and tsv: every cell is text, as it is written. An empty cell is a missing value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

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
        raise DataError(f"{path} is empty.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path}:1: the header names the column {twice[0]!r} twice. Rename one of them.")
    return [name or f"column_{number}" for number, name in enumerate(names, start=1)]


def remark(path: Path, dialect: Dialect) -> str | None:
    """Return what to say of a dialect that a file's suffix does not promise, or None."""
    usual = _USUAL.get(path.suffix.casefold(), dialect)
    return None if dialect == usual else f"{path.name}: {dialect}"


def batches(path: Path, dialect: Dialect) -> Iterator[Mapping[str, list[Any]]]:
    """Yield batches of rows as columns of text; None for an empty cell."""
    names = header_of(path, dialect)
    content = islice(rows(path, dialect), 1, None)
    while batch := list(islice(content, BATCH)):
        columns = zip(*(cells for _, cells in batch), strict=True)
        yield {name: [cell or None for cell in cells] for name, cells in zip(names, columns, strict=True)}


def line_batches(path: Path) -> Iterator[Mapping[str, list[str]]]:
    """Yield batches of the lines of a text file, empty ones too, as the column "text"."""
    with utf8(path), path.open(encoding="utf-8-sig", newline=None) as file:
        lines = (line.rstrip("\n") for line in file)
        while batch := list(islice(lines, BATCH)):
            yield {"text": batch}
