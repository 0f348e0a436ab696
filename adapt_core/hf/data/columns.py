"""Columns of a data set: required columns, bad rows, and texts that FORMAT_STRING builds from several columns."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from adapt_core.config.core_params.data import DataParams
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.row_places import place_of
from adapt_core.runtime.plain_text import has_surrogates

if TYPE_CHECKING:
    import numpy
    from datasets import Dataset
    from numpy.typing import NDArray

_BATCH = 10_000
_SHOWN = 12
_ARTICLES = (
    "These are SQuAD's articles. Leave DATA_FORMAT out: question_answering reads them. In another task write each of "
    "their questions as a row."
)
"""For files from SQuAD's own site, whose rows are articles with their paragraphs."""


def require_columns(names: Sequence[str], columns: Iterable[tuple[str, str]], split: str) -> None:
    """Check that the columns exist.

    Args:
        names: the columns of one split.
        columns: (column, the key that names it) pairs.
        split: for the message.

    Raises:
        DataError: one does not; the message lists the columns of the split and the nearest name.
    """
    _require_columns(names, columns, f"the {split} split", "Correct {key}, or rename a column.")


def require_columns_of_file(names: Sequence[str], columns: Iterable[tuple[str, str]], file: str) -> None:
    """Check that the columns exist in a file of inputs, as `require_columns` does.

    Args:
        names: the columns of the file.
        columns: (column, the key that names it) pairs.
        file: its name, for the message.
    """
    _require_columns(names, columns, file, "Name it as in training.")


def _require_columns(names: Sequence[str], columns: Iterable[tuple[str, str]], where: str, remedy: str) -> None:
    for column, key in columns:
        if column in names:
            continue
        there = ", ".join(names[:_SHOWN])
        near = get_close_matches(column, names, n=1)
        plain = _ARTICLES if "paragraphs" in names else remedy.format(key=key, column=column)
        hint = f"Did you mean {near[0]!r}?" if near else plain
        raise DataError(f"{key}: {where} has no column {column!r}; it has: {there}. {hint}")


def column_values(dataset: Dataset, column: str) -> Iterator[Any]:
    """Yield the values of one column. Memory stays flat: they are read a batch at a time."""
    narrow = dataset.select_columns([column])
    for start in range(0, len(narrow), _BATCH):
        yield from narrow[start : start + _BATCH][column]


def token_lengths(rows: Dataset) -> NDArray[numpy.int64]:
    """Return the number of tokens of each row: the lengths of its `input_ids`."""
    import numpy
    import pyarrow.compute

    # A batch at a time: reading the whole column would copy it out of the memory-mapped file.
    batches = rows.select_columns(["input_ids"]).with_format("arrow").iter(_BATCH)
    lengths = [pyarrow.compute.list_value_length(batch["input_ids"]) for batch in batches]
    return numpy.concatenate([numpy.asarray(chunk, dtype=numpy.int64) for chunk in lengths])


def number_of(value: object) -> float | None:
    """Return a value as a finite number, also one that a table spells as text; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def text_fault(value: object) -> str | None:
    """Return why a value is not a usable text, or None."""
    if value is None:
        return "is missing (null)"
    if not isinstance(value, str):
        return f"is {type(value).__name__} {value!r}, not text"
    if has_surrogates(value):
        return "is not Unicode (it holds half of a surrogate pair)"
    return None if value.strip() else "is empty"


def drop_bad_rows(dataset: Dataset, faults: Sequence[str | None], split: str, *, skip: bool) -> tuple[Dataset, int]:
    """Return the rows without a fault, and the number of rows dropped.

    Args:
        dataset: one split.
        faults: for each row what is wrong with it, or None.
        split: for the message.
        skip: drop bad rows; False stops at the first (SKIP_BAD_ROWS).

    Raises:
        DataError: a row is bad and not skipped (the message has its number, from 1, and its file and line where they
            are known), or every row is bad.
    """
    bad = [row for row, fault in enumerate(faults) if fault]
    if not bad:
        return dataset, 0
    if not skip:
        more = f" ({len(bad) - 1} more like it)" if len(bad) > 1 else ""
        raise DataError(
            f"{split} row {bad[0] + 1}: {faults[bad[0]]}{more}. "
            f"Fix {place_of(dataset, split, bad[0]) or 'the data'}, or --set SKIP_BAD_ROWS=true to drop such rows."
        )
    if len(bad) == len(dataset):
        raise DataError(
            f"every row of the {split} split is bad; row 1: {faults[0]}. Fix the data, or name its columns."
        )
    dropped = set(bad)
    return dataset.select([row for row in range(len(dataset)) if row not in dropped]), len(bad)


def format_columns(data: DataParams) -> list[str]:
    """Return the columns that FORMAT_STRING uses, in its order.

    Raises:
        InputError: FORMAT_STRING is not a valid format string, or a bare {} has no name in FORMAT_NAMES.
    """
    names = iter(data.format_names or ())
    columns = []
    for field in _fields(data.format_string or ""):
        column = field or next(names, None)
        if column is None:
            raise InputError("FORMAT_STRING has more {} fields than FORMAT_NAMES has names. Give each field a name.")
        columns.append(column)
    if data.format_string and not columns:
        raise InputError(f"FORMAT_STRING {data.format_string!r} uses no column; write them as {{column}}.")
    return columns


def _fields(format_string: str) -> Iterator[str]:
    try:
        parsed = list(string.Formatter().parse(format_string))
    except ValueError as error:
        raise InputError(
            f"FORMAT_STRING {format_string!r}: {error}. Correct its braces; write {{{{ for a brace of the text."
        ) from None
    for _, field, spec, conversion in parsed:
        if field is None:
            continue
        if spec or conversion or any(sign in field for sign in ".["):
            raise InputError(f"FORMAT_STRING: {{{field}}} must be a column's name and nothing else.")
        yield field


def format_row(row: Mapping[str, Any], data: DataParams) -> str | None:
    """Return FORMAT_STRING filled from a row; an empty cell counts as empty text. None where all cells are empty."""
    columns = format_columns(data)
    cells = ["" if row[column] is None else str(row[column]) for column in columns]
    if not any(cell.strip() for cell in cells):
        return None
    parts = []
    filled = iter(cells)
    for literal, field, _, _ in string.Formatter().parse(data.format_string or ""):
        parts.append(literal)
        if field is not None:
            parts.append(next(filled))
    return "".join(parts)
