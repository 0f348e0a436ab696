"""Inputs of `adapt predict` from command-line arguments: the arguments themselves, or the files that they name."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from adapt_core.config.plan import FormatChoice, Plan
from adapt_core.contracts.format import PREDICT, Place
from adapt_core.contracts.recognition import recognise
from adapt_core.errors import BadInputsError, DataError, InputError
from adapt_core.hf.data.columns import column_values, format_columns, format_row, require_columns_of_file, text_fault
from adapt_core.hf.data.formats import SHEETS
from adapt_core.hf.data.tables.read import read_splits
from adapt_core.hf.data.texts import TextFieldParams, input_column
from adapt_core.hf.models.logging import quiet_data_library
from adapt_core.runtime.plain_text import has_surrogates

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


class TextField(Protocol):
    """The place of a row's text."""

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """The required columns, each with the key that names it."""

    def text(self, row: Mapping[str, Any]) -> str | None:
        """Return the text of a row."""


def data_file(argument: str, formats: Sequence[FormatChoice]) -> Path | None:
    """Return the path of the data file that an argument names, or None where the argument is itself an input."""
    path = Path(argument)
    if not any(path.suffix.casefold() in one.suffixes for one in formats):
        return None
    if os.path.isfile(argument):  # Path.is_file raises where a text is longer than any file's name
        return path
    if not any(map(str.isspace, argument)):
        log.warning("%s: there is no such file, so this is taken as the input itself.", argument[:80])
    return None


def _named_format(path: Path, plan: Plan) -> str | None:
    """Return DATA_FORMAT where the file has a suffix of that format: other files are in formats of their own."""
    named = [one for one in plan.formats if one.name == plan.data.data_format]
    return plan.data.data_format if any(path.suffix.casefold() in one.suffixes for one in named) else None


def _has_lines(path: Path, plan: Plan) -> bool:
    """Return whether each line of a file is an input: a .txt file that no format which looks into files recognises.

    Raises:
        InputError: two formats recognise it.
    """
    if path.suffix.casefold() != ".txt":
        return False
    place = Place(split=PREDICT, root=path.parent, files=(path,))
    found = recognise(place, plan.formats, _named_format(path, plan))
    return found is None or found.choice.general


def file_rows(path: Path, plan: Plan) -> Dataset:
    """Load the rows of a data file, in DATA_FORMAT where the file has a suffix of that format, and of SHEET if it may.

    No row is left out, also where SKIP_BAD_ROWS is set, so that each has its output.

    Raises:
        DataError: it cannot be read.
    """
    has_sheets = any(one.name == SHEETS and path.suffix.casefold() in one.suffixes for one in plan.formats)
    quiet_data_library()
    sheet = plan.data.sheet if has_sheets else None
    return read_splits({PREDICT: (path,)}, plan.formats, _named_format(path, plan), sheet)[PREDICT]


def file_lines(path: Path) -> list[str]:
    """Return the lines of a text file, empty ones left out.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}). Save the file as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Make it readable.") from None
    return [line for line in text.split("\n") if line.strip()]


def file_column(path: Path, plan: Plan, column: str) -> list[Any]:
    """Return one column of a data file, or the lines of a .txt file in no format that has columns.

    Raises:
        DataError: the file cannot be read, or does not have the column.
    """
    if _has_lines(path, plan):
        return file_lines(path)
    rows = file_rows(path, plan)
    require_columns_of_file(rows.column_names, [(column, "input_column")], path.name)
    return list(column_values(rows, column))


def read_texts(arguments: Sequence[str], plan: Plan[TextFieldParams]) -> list[str]:
    """Return the texts of the arguments, in order: each is a text, or a file of texts (.txt, .jsonl, .csv, ...).

    Raises:
        InputError: there is no text, a text is empty, or a file cannot be read.
    """

    def texts(path: Path) -> Iterable[object]:
        if not plan.data.format_string or _has_lines(path, plan):
            return file_column(path, plan, input_column(plan))
        rows = file_rows(path, plan)
        require_columns_of_file(
            rows.column_names, [(name, "FORMAT_STRING") for name in format_columns(plan.data)], path.name
        )
        return [format_row(row, plan.data) for row in rows]

    return _require_texts(_expand(arguments, plan, texts))


def read_field_texts(arguments: Sequence[str], plan: Plan, field: Callable[[Dataset, str], TextField]) -> list[str]:
    """Return the texts of the arguments, in order, where the task finds the text in the rows of a file.

    Args:
        arguments: texts and paths.
        plan: the plan.
        field: (rows of a file, its name) -> where the text of a row is.

    Raises:
        InputError: there is no text, a text is empty, or a file cannot be read.
    """

    def texts(path: Path) -> Iterable[object]:
        if _has_lines(path, plan):
            return file_lines(path)
        rows = file_rows(path, plan)
        found = field(rows, path.name)
        require_columns_of_file(rows.column_names, found.columns, path.name)
        return [found.text(row) for row in rows]

    return _require_texts(_expand(arguments, plan, texts))


def read_words(arguments: Sequence[str], plan: Plan, column: str) -> list[str | list[str]]:
    """Return the arguments, in order: texts, whose words the task finds, or lists of words, the rows of a file.

    Raises:
        InputError: there is no input, an input is empty, or a file cannot be read.
    """
    rows = _expand(arguments, plan, lambda path: file_column(path, plan, column))
    if not rows:
        raise InputError("adapt predict needs at least one text or file.")
    require_inputs(map(_words_fault, rows))
    return rows


def _words_fault(row: object) -> str | None:
    words = [row] if isinstance(row, str) else row if isinstance(row, list) else []
    if not words or not all(isinstance(word, str) and word.strip() for word in words):
        return " is neither a text nor a list of words. Give one of them."
    if any(has_surrogates(str(word)) for word in words):
        return " is not Unicode (it holds half of a surrogate pair). Give a text."
    return None


def read_records(arguments: Sequence[str], plan: Plan, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the records of the arguments, in order: JSON objects, or the rows of files with these columns.

    Args:
        arguments: JSON texts and paths.
        plan: the plan.
        columns: the columns to read -> the key that names each.

    Raises:
        InputError: there is no record, or an argument is neither a file nor a JSON object.
    """
    records: list[dict[str, Any]] = []
    for argument in arguments:
        path = data_file(argument, plan.formats)
        if path is not None:
            cells = [file_column(path, plan, column) for column in columns]
            records.extend(dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True))
            continue
        record = json_object(argument)
        if record is None:
            raise InputError(
                f"{argument[:60]!r} is neither a file nor a JSON object with {' and '.join(columns)}. Give a file, or "
                f"'{json.dumps(dict.fromkeys(columns, '...'))}'."
            )
        records.append(record)
    if not records:
        raise InputError("adapt predict needs at least one JSON object or file.")
    return records


def json_object(argument: str) -> dict[str, Any] | None:
    """Return the JSON object that an argument is, or None."""
    try:
        record = json.loads(argument)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _expand(arguments: Sequence[str], plan: Plan, read: Callable[[Path], Iterable[Any]]) -> list[Any]:
    """Return the arguments, the contents of a file in place of its path."""
    inputs: list[Any] = []
    for argument in arguments:
        path = data_file(argument, plan.formats)
        inputs.extend([argument] if path is None else read(path))
    return inputs


def _require_texts(texts: list[Any]) -> list[str]:
    if not texts:
        raise InputError("adapt predict needs at least one text or file.")
    faults = map(text_fault, texts)
    require_inputs(None if fault is None else f" {fault}. Give a text." for fault in faults)
    return texts


def require_inputs(faults: Iterable[str | None]) -> None:
    """Refuse the inputs that have a fault.

    Args:
        faults: for each input what follows its name in a message (" is empty. Give a text."), or None.

    Raises:
        BadInputsError: one has.
    """
    found = {number: fault for number, fault in enumerate(faults, start=1) if fault is not None}
    if found:
        raise BadInputsError(found)
