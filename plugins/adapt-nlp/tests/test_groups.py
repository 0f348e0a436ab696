"""GROUP_COLUMN in runs: what is held out shares no group with training, and given splits that share some are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import DataError


@pytest.fixture
def letters(tmp_path: Path, inbox_texts: list[str]) -> Path:
    """A folder with 60 texts of 12 authors, without a validation split."""
    folder = tmp_path / "letters"
    folder.mkdir()
    _write(folder / "train.jsonl", inbox_texts[:60], range(60))
    return folder


def _write(file: Path, texts: list[str], numbers: range) -> None:
    rows = [
        {"text": text, "label": "ab"[number % 2], "author": f"author {number % 12}"}
        for number, text in zip(numbers, texts, strict=True)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_held_out_split_shares_no_group(run: Callable[..., Any], letters: Path) -> None:
    changes = {"CUSTOM_DATASET_PATH": str(letters), "MAX_TRAIN_SAMPLES": None, "MAX_EVAL_SAMPLES": None}
    result = run(**changes, GROUP_COLUMN="author", DATA_SPLIT=0.2)
    assert result.data["validation_rows"] % 5 == 0, "whole authors"
    assert 5 <= result.data["validation_rows"] <= 15
    assert result.verdict["checks"]["groups"]["findings"] == []


def test_groups_on_both_sides_of_given_splits_are_told(
    run: Callable[..., Any], letters: Path, inbox_texts: list[str]
) -> None:
    _write(letters / "validation.jsonl", inbox_texts[60:64], range(10, 14))
    changes = {"CUSTOM_DATASET_PATH": str(letters), "MAX_TRAIN_SAMPLES": None, "MAX_EVAL_SAMPLES": None}
    result = run(**changes, GROUP_COLUMN="author")
    (found,) = result.verdict["checks"]["groups"]["findings"]
    assert found["figures"] == {"rows": 4, "groups": 4}
    assert [row["row"] for row in found["rows"]] == [1, 2, 3, 4]
    assert any("groups of author that training has too: 4" in warning for warning in result.warnings)
    told = json.loads((Path(result.output_dir) / "result.json").read_text(encoding="utf-8"))
    assert told["verdict"] == result.verdict
    page = (Path(result.output_dir) / "report.html").read_text(encoding="utf-8")
    assert "The data before training" in page


def test_a_column_that_is_not_there_is_named(run: Callable[..., Any], letters: Path) -> None:
    with pytest.raises(DataError, match="GROUP_COLUMN: the train split has no column 'autor'"):
        run(CUSTOM_DATASET_PATH=str(letters), GROUP_COLUMN="autor")
