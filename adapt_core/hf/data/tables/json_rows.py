"""json and jsonl: rows as JSON means them; no text is taken for a date, a number or a null."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from adapt_core.errors import DataError
from adapt_core.hf.data.tables.kinds import Kind

BATCH = 10_000
_HEAD = 1_000_000
_LOOKED_AT = 20
_NOT_SPACE = re.compile(r"\S")
LINES = (".jsonl", ".ndjson")

Row = Mapping[str, Any]


def json_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file: a JSON object on each line, a list of objects, or a list under one key.

    The text is UTF-8, with or without a byte order mark.

    Raises:
        DataError: naming the line, where something is not JSON or not an object.
    """
    return (row for _, row in placed_rows(path))


def placed_rows(path: Path) -> Iterator[tuple[int | None, Row]]:
    """Yield each row as `json_rows` does, with its line; None where a document holds all rows."""
    for number, (line, value) in enumerate(placed_values(path), start=1):
        yield line, _object(value, f"{path}: entry {number}" if line is None else f"{path}:{line}: each line")


def placed_values(path: Path) -> Iterator[tuple[int | None, Any]]:
    """Yield what stands on each line, or in the list of a document, with its line; None in a document.

    Raises:
        DataError: naming the line, where something is not JSON.
    """
    return _lines(path) if path.suffix.casefold() in LINES else _document(path)


def _lines(path: Path) -> Iterator[tuple[int | None, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if text:
                    yield number, json.loads(text)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}:{number}: not UTF-8 text (byte {error.start} of the line). Save the file as UTF-8."
                ) from None
            except ValueError as error:
                raise DataError(f"{path}:{number}: not valid JSON: {error}. Correct the line.") from None
            except RecursionError:
                raise DataError(
                    f"{path}:{number}: lists or objects are nested too deeply. Write the row with fewer levels."
                ) from None


def _document(path: Path) -> Iterator[tuple[int | None, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = json.loads(text)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}). Save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text[: error.pos].strip().endswith("}"):
            yield from _lines(path)
            return
        raise DataError(f"{path}:{error.lineno}: not valid JSON: {error}. Correct the line.") from None
    except ValueError as error:  # an integer with more digits than Python reads
        raise DataError(f"{path}: not valid JSON: {error}. Write the number with fewer digits.") from None
    except RecursionError:
        raise DataError(f"{path}: lists or objects are nested too deeply. Write the rows with fewer levels.") from None
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = lists[0] if len(lists) == 1 else [document]
    if not isinstance(document, list):
        raise DataError(f"{path}: must be a list of JSON objects, not {type(document).__name__}.")
    yield from ((None, value) for value in document)


def head_rows(path: Path) -> Iterator[Row]:
    """Yield the rows at the head of a document, up to the first that is cut or no object: maybe not a single one."""
    with path.open("rb") as file:
        text = file.read(_HEAD).decode("utf-8-sig", errors="ignore")
    return takewhile(lambda value: isinstance(value, dict), _listed(text, text.find("[")))


def head_values(path: Path) -> list[Any]:
    """Return what stands at the head of a file, as `placed_values` gives it, up to what is cut or is not JSON."""
    with path.open("rb") as file:
        text = file.read(_HEAD).decode("utf-8-sig", errors="ignore")
    if path.suffix.casefold() in LINES or _has_several_documents(text):
        return list(_values_of(text.split("\n")))
    return list(_listed(text, text.find("[")))


def _has_several_documents(text: str) -> bool:
    """Return whether a text begins with an object on its first line, and another one follows."""
    lines = [line for line in text.split("\n")[:_LOOKED_AT] if line.strip()][:2]
    return len(lines) == 2 and all(isinstance(value, dict) for value in _values_of(lines)) and lines[1][0] == "{"


def _values_of(lines: list[str]) -> Iterator[Any]:
    for line in lines:
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                return


def _listed(text: str, at: int) -> Iterator[Any]:
    """Yield the values of the list that begins at a place of a text, up to the first that is cut or is not JSON."""
    decode = json.JSONDecoder().raw_decode
    while at >= 0:
        begin = _NOT_SPACE.search(text, at + 1)  # behind the bracket, or the comma
        if begin is None:
            return
        try:
            value, end = decode(text, begin.start())
        except (ValueError, RecursionError):
            return
        yield value
        comma = _NOT_SPACE.search(text, end)
        at = comma.start() if comma is not None and comma[0] == "," else -1


def _object(row: object, where: str) -> Row:
    if not isinstance(row, dict):
        raise DataError(f"{where} must be a JSON object ({{...}}), not {type(row).__name__}.")
    return row


def batches(path: Path, kinds: Mapping[str, Kind]) -> Iterator[Mapping[str, list[Any]]]:
    """Yield batches of rows as columns, each value as its column's kind stores it; None where a row lacks the key."""
    rows = json_rows(path)
    while batch := list(islice(rows, BATCH)):
        yield {name: [kind.encode(row.get(name)) for row in batch] for name, kind in kinds.items()}
