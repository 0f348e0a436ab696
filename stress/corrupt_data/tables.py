"""Corruptions of text files: bytes, encodings, lines, rows and values of train.jsonl and validation.jsonl."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from stress.corrupt_data.corruption import Corruption

Row = dict[str, Any]
_VALUES: dict[str, Any] = {
    "null": None,
    "NaN": float("nan"),
    "an integer": 7,
    "a float": 0.5,
    "a boolean": True,
    "an empty text": "",
    "blanks": " \t ",
    "an empty list": [],
    "a list of null": [None],
    "a list of integers": [1, 2],
    "a list of texts": ["a", "b"],
    "a mapping": {"a": "b"},
    "an empty mapping": {},
    "control characters": "a\x00b\x07",
    "a very long text": "word " * 20_000,
    "a lone surrogate": "\ud800",
}


def read(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.open(encoding="utf-8")]


def write(file: Path, rows: list[Row]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _bytes(change: Callable[[bytes, Random], bytes], split: str, folder: Path, dice: Random) -> None:
    file = folder / f"{split}.jsonl"
    file.write_bytes(change(file.read_bytes(), dice))


def _rows(change: Callable[[list[Row], Random], list[Row]], split: str, folder: Path, dice: Random) -> None:
    file = folder / f"{split}.jsonl"
    write(file, change(read(file), dice))


def _garbled(data: bytes, dice: Random) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + dice.randbytes(40) + data[place:]


_FILES: list[tuple[str, Callable[[bytes, Random], bytes], bool | None]] = [
    ("cut at any byte", lambda data, dice: data[: dice.randrange(1, len(data))], None),
    ("cut inside the last line", lambda data, dice: data[:-9], False),
    ("empty", lambda data, dice: b"", False),
    ("only blank lines", lambda data, dice: b"\n\n\n", False),
    ("blank lines between rows", lambda data, dice: data.replace(b"\n", b"\n\n"), None),
    ("a byte order mark", lambda data, dice: b"\xef\xbb\xbf" + data, None),
    ("Windows line ends", lambda data, dice: data.replace(b"\n", b"\r\n"), True),
    ("no line end at the end", lambda data, dice: data.rstrip(b"\n"), True),
    ("UTF-16", lambda data, dice: data.decode().encode("utf-16"), False),
    ("Latin-1 bytes", lambda data, dice: re.sub(rb'(": \[?")', b"\\1caf\xe9 ", data, count=1), False),
    ("zero bytes", lambda data, dice: data + b"\x00" * 64, False),
    ("random bytes inside", _garbled, None),
    ("a gzip file by this name", lambda data, dice: gzip.compress(data), None),
    ("one JSON array", lambda data, dice: b"[" + b",".join(data.strip().splitlines()) + b"]", None),
    ("CSV by this name", lambda data, dice: b"text,label\na,b\n", False),
    ("a list for a row", lambda data, dice: data + b'["a", "b"]\n', False),
    ("a number for a row", lambda data, dice: data + b"7\n", False),
    ("single quotes", lambda data, dice: data.replace(b'"', b"'"), False),
    ("a comma at the end of a row", lambda data, dice: data.replace(b"}\n", b"},\n", 1), False),
]


def _with_value(column: str, value: Any, rows: list[Row], dice: Random) -> list[Row]:
    dice.choice(rows)[column] = value
    return rows


def _without(column: str, rows: list[Row], dice: Random) -> list[Row]:
    del dice.choice(rows)[column]
    return rows


def _renamed(column: str, rows: list[Row], dice: Random) -> list[Row]:
    return [{("x" + key if key == column else key): value for key, value in row.items()} for row in rows]


def _swapped(first: str, second: str, rows: list[Row], dice: Random) -> list[Row]:
    return [{**row, first: row[second], second: row[first]} for row in rows]


def _shorter(column: str, rows: list[Row], dice: Random) -> list[Row]:
    row = dice.choice(rows)
    row[column] = row[column][:-1]
    return rows


def _one_value(column: str, rows: list[Row], dice: Random) -> list[Row]:
    return [{**row, column: rows[0][column]} for row in rows]


def _inner(column: str, key: str, value: Any, rows: list[Row], dice: Random) -> list[Row]:
    row = dice.choice(rows)
    row[column] = {**row[column], key: value}
    return rows


def corruptions(example: Row, target: str) -> Iterator[Corruption]:
    """Yield every corruption of a table.

    Args:
        example: a row of it.
        target: the column that is learned.
    """
    for split in ("train", "validation"):
        for name, change, accepted in _FILES:
            yield Corruption(f"{split}: {name}", partial(_bytes, change, split), accepted)
    columns = list(example)
    row_changes: dict[str, Callable[[list[Row], Random], list[Row]]] = {}
    for column in columns:
        for name, value in _VALUES.items():
            row_changes[f"{name} in {column}"] = partial(_with_value, column, value)
        row_changes[f"a row without {column}"] = partial(_without, column)
        row_changes[f"{column} by another name"] = partial(_renamed, column)
        row_changes[f"one value of {column} everywhere"] = partial(_one_value, column)
        if isinstance(example[column], list):
            row_changes[f"{column} shorter by one"] = partial(_shorter, column)
        if isinstance(example[column], dict):
            for key in example[column]:
                for name in ("null", "an empty text", "an integer", "an empty list", "a list of integers"):
                    row_changes[f"{name} in {column}.{key}"] = partial(_inner, column, key, _VALUES[name])
    for other in columns:
        if other != target:
            row_changes[f"{other} and {target} swapped"] = partial(_swapped, other, target)
    row_changes["every row twice"] = lambda rows, dice: rows + rows
    row_changes["one row"] = lambda rows, dice: rows[:1]
    for name, rows_change in row_changes.items():
        yield Corruption(name, partial(_rows, rows_change, "train"))
    for name in ("null", "an integer", "an empty list", "a mapping"):
        yield Corruption(
            f"validation: {name} in {target}", partial(_rows, partial(_with_value, target, _VALUES[name]), "validation")
        )
