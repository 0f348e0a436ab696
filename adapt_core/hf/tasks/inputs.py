"""Raw texts from command-line arguments: the texts themselves, or files of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from adapt_core.config.core_params import DataParams
from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.data.columns import column_values, format_columns, format_row, require_columns, text_fault
from adapt_core.hf.data.source import BUILDERS, load_raw

if TYPE_CHECKING:
    from datasets import Dataset


def read_texts(arguments: Sequence[str], plan: Plan) -> list[str]:
    """Texts of the arguments, in order. A path of a .txt, .jsonl, .csv, ... file stands for the texts in it.

    Raises:
        InputError: no text at all, an empty one, or a file that cannot be read.
    """
    texts: list[str] = []
    for argument in arguments:
        if _is_file(argument):
            texts.extend(_from_file(Path(argument), plan))
        else:
            texts.append(argument)
    return _good(texts)


def read_texts_by(arguments: Sequence[str], plan: Plan, place: Callable[[Dataset, str], TextPlace]) -> list[str]:
    """Texts of the arguments, in order, where a file's rows hold them at a place of the task's choosing.

    Args:
        arguments: texts and paths.
        plan: the plan.
        place: (rows of a file, its name) -> where the text of a row stands.

    Raises:
        InputError: no text at all, an empty one, or a file that cannot be read.
    """
    texts: list[Any] = []
    for argument in arguments:
        path = Path(argument)
        if not _is_file(argument):
            texts.append(argument)
        elif path.suffix.casefold() == ".txt":
            texts.extend(read_rows(path, plan, ""))
        else:
            rows = load_raw(_only(path, plan))["train"]
            found = place(rows, path.name)
            require_columns(rows, found.columns, path.name)
            texts.extend(found.text(row) for row in rows)
    return _good(texts)


def _is_file(argument: str) -> bool:
    path = Path(argument)
    return path.suffix.casefold() in BUILDERS and len(argument) < 4096 and path.is_file()


def _good(texts: list[Any]) -> list[str]:
    if not texts:
        raise InputError("adapt predict needs at least one text or file.")
    for number, text in enumerate(texts, start=1):
        if text_fault(text):
            raise InputError(f"input {number} {text_fault(text)}.")
    return texts


class TextPlace(Protocol):
    """Where the text of a row stands."""

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """The columns that must be there, with the key that named each."""

    def text(self, row: Mapping[str, Any]) -> Any:
        """The text of one row."""


def _only(path: Path, plan: Plan) -> DataParams:
    import attrs

    return attrs.evolve(
        plan.data, custom_dataset_path=str(path), dataset=None, train_dir=None, val_dir=None, test_dir=None
    )


def read_words(arguments: Sequence[str], plan: Plan, column: str) -> list[list[str]]:
    """Lists of words of the arguments, in order: texts split at white space, or the rows of a file.

    Raises:
        InputError: nothing at all, an empty input, or a file that cannot be read.
    """
    rows: list[Any] = []
    for argument in arguments:
        path = Path(argument)
        if path.suffix.casefold() in BUILDERS and len(argument) < 4096 and path.is_file():
            rows.extend(read_rows(path, plan, column))
        else:
            rows.append(argument)
    if not rows:
        raise InputError("adapt predict needs at least one text or file.")
    words = [row.split() if isinstance(row, str) else list(row or ()) for row in rows]
    for number, row in enumerate(words, start=1):
        if not row or not all(isinstance(word, str) and word.strip() for word in row):
            raise InputError(f"input {number} is no text and no list of words.")
    return words


def read_records(arguments: Sequence[str], plan: Plan, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Mappings of the arguments, in order: JSON objects, or the rows of files with these columns.

    Args:
        arguments: JSON texts and paths.
        plan: the plan.
        columns: the columns that are read -> the key that named each.

    Raises:
        InputError: nothing at all, or an argument that is neither file nor JSON object.
    """
    records: list[dict[str, Any]] = []
    for argument in arguments:
        path = Path(argument)
        if path.suffix.casefold() in BUILDERS and len(argument) < 4096 and path.is_file():
            rows = [read_rows(path, plan, column) for column in columns]
            records.extend(dict(zip(columns, row, strict=True)) for row in zip(*rows, strict=True))
            continue
        try:
            record = json.loads(argument)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise InputError(f"{argument[:60]!r} is no file and no JSON object with {' and '.join(columns)}.")
        records.append(record)
    if not records:
        raise InputError("adapt predict needs at least one JSON object or file.")
    return records


def read_rows(path: Path, plan: Plan, column: str) -> list[Any]:
    """One column of a file, or the lines of a .txt file that are not empty."""
    if path.suffix.casefold() == ".txt":
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = load_raw(_only(path, plan))["train"]
    require_columns(rows, [(column, "input_column")], path.name)
    return list(column_values(rows, column))


def _from_file(path: Path, plan: Plan) -> list[Any]:
    if path.suffix.casefold() == ".txt":
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = load_raw(_only(path, plan))["train"]
    if plan.data.format_string:
        require_columns(rows, [(name, "FORMAT_STRING") for name in format_columns(plan.data)], path.name)
        return [format_row(row, plan.data) for row in rows]
    column = str(plan.data.input_column or plan.task.params.dataset_text_field)
    require_columns(rows, [(column, "input_column")], path.name)
    return list(column_values(rows, column))
