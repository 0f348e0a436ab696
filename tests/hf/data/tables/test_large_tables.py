"""Tables beyond the size at which datasets (5.2.0) begins another piece, with types of its own, keep their cells.

Its pieces are 10,000 rows of csv and about 10 MB of JSON lines. Rows in memory and parquet are held to the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("datasets", reason="needs the extra adapt-core[hf]")

from datasets import ClassLabel, Dataset, Features, Value

from adapt_core.execution.rows import store_rows
from adapt_core.hf.data.class_names import with_names_of_train
from adapt_core.hf.data.tables.read import read_splits

ROWS = 22_000
LATE = 20_500
SPELLINGS = ("1", "null", "01", "1e3", "True", "true", "2024-01-05", "2024-01-05T10:00:00", "NaN", "-0")


def code(row: int) -> str:
    """A number that the rows of the last piece spell with a zero before it."""
    return "0111" if row >= LATE else "111"


def flag(row: int) -> str:
    return "true" if row >= LATE else "True"


def day(row: int) -> str:
    return "2024-01-05" if row >= LATE else "2024-01-05T10:00:00"


def table() -> dict[str, list[Any]]:
    columns = {"code": [code(row) for row in range(ROWS)], "flag": [flag(row) for row in range(ROWS)]}
    return {**columns, "day": [day(row) for row in range(ROWS)]}


def test_a_csv_of_three_pieces_keeps_its_cells(tmp_path: Path) -> None:
    columns = {**table(), "count": [*["1"] * (ROWS - 1), "01"]}
    lines = [",".join(columns), *(",".join(cells) for cells in zip(*columns.values(), strict=True))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = read_splits({"train": (tmp_path / "a.csv",)})["train"]
    assert {name: found[name][:] for name in columns} == columns


def test_json_lines_of_two_pieces_keep_their_values(tmp_path: Path) -> None:
    """A value that first comes in the second piece, and a text among numbers there, are kept as they are."""
    columns = {**table(), "count": [*[1] * (ROWS - 1), "1e3"], "late": [*[None] * (ROWS - 1), 7]}
    filler = "x" * 600
    with (tmp_path / "a.jsonl").open("w", encoding="utf-8") as file:
        for row in range(ROWS):
            file.write(json.dumps({"filler": filler, **{name: cells[row] for name, cells in columns.items()}}) + "\n")
    assert (tmp_path / "a.jsonl").stat().st_size > 10 * 2**20
    found = read_splits({"train": (tmp_path / "a.jsonl",)})["train"]
    assert {name: found[name][:] for name in columns} == columns


def as_frame(columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("pandas").DataFrame(columns)


def as_rows(columns: dict[str, list[Any]]) -> Any:
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("form", [as_frame, as_rows, Dataset.from_dict], ids=["DataFrame", "rows", "Dataset"])
def test_rows_in_memory_keep_their_values(form: Callable[[dict[str, list[Any]]], Any]) -> None:
    columns = {**table(), "text": [SPELLINGS[row % len(SPELLINGS)] for row in range(ROWS)]}
    stored = store_rows({"train": form(columns)})
    found = read_splits({split: (file,) for split, file in stored.items()})["train"]
    assert {name: found[name][:] for name in columns} == columns


def test_parquet_keeps_texts_and_class_names_split_by_split(tmp_path: Path) -> None:
    for split, names in (("train", ["ham", "spam"]), ("validation", ["spam", "ham"])):
        features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
        rows = {"text": list(SPELLINGS), "label": [number % 2 for number in range(len(SPELLINGS))]}
        Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / f"{split}.parquet"))
    raw = read_splits({split: (tmp_path / f"{split}.parquet",) for split in ("train", "validation")})
    splits = with_names_of_train(raw)
    for rows in splits.values():
        assert rows["text"][:] == list(SPELLINGS)
        assert rows.features["label"].names == ["ham", "spam"]
    assert splits["train"]["label"][:4] == [0, 1, 0, 1]
    assert splits["validation"]["label"][:4] == [1, 0, 1, 0], "the same names, by the numbers of training"
