"""The formats of tables pass the contract for formats."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("datasets")

from adapt_core.contracts import Place
from adapt_core.testing import FormatContract


def written(folder: Path, name: str, text: str) -> Place:
    (folder / name).write_text(text, encoding="utf-8")
    return Place(split="train", root=folder, files=(folder / name,))


class TestDelimited(FormatContract):
    name = "delimited"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return written(tmp_path, "train.csv", 'text,label\n"two\nlines",a\nnext,b\n"quoted, cell",a\n')


class TestJson(FormatContract):
    name = "json"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return written(tmp_path, "train.jsonl", '{"text": "\\u00e9", "n": [1, null]}\n\n{"text": "b", "n": []}\n')


class TestParquet(FormatContract):
    name = "parquet"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        from datasets import Dataset

        Dataset.from_dict({"text": ["a", "b"], "tags": [["x"], []]}).to_parquet(tmp_path / "train.parquet")
        return Place(split="train", root=tmp_path, files=(tmp_path / "train.parquet",))


class TestText(FormatContract):
    name = "text"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return written(tmp_path, "train.txt", "one line\n\u00e9t\u00e9\n\nlast")
