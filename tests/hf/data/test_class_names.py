# ruff: noqa: E402
"""A class is known by its name: no number of one split is read by the list of another."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

datasets = pytest.importorskip("datasets", reason="needs the extra adapt-core[hf]")

from adapt_core.config.core_params.data import DataParams
from adapt_core.errors import DataError
from adapt_core.hf.data.labels import read_labels
from adapt_core.hf.data.source import load_raw


def split(names: list[str], labels: list[str]) -> datasets.Dataset:
    rows = datasets.Dataset.from_dict({"text": ["a"] * len(labels), "label": [names.index(label) for label in labels]})
    return rows.cast_column("label", datasets.ClassLabel(names=names))


def test_splits_that_number_their_classes_apart_agree_by_name(tmp_path: Path) -> None:
    own = {
        "train": split(["neg", "neu", "pos"], ["pos", "neu", "neg"]),
        "validation": split(["neg", "pos"], ["pos", "neg"]),
    }
    datasets.DatasetDict(own).save_to_disk(str(tmp_path / "saved"))
    for name, rows in own.items():
        (tmp_path / "files").mkdir(exist_ok=True)
        rows.to_parquet(str(tmp_path / "files" / f"{name}.parquet"))
    for place in ("saved", "files"):
        splits = load_raw(DataParams(custom_dataset_path=str(tmp_path / place)))
        names = splits["validation"].features["label"].names
        assert [names[number] for number in splits["validation"]["label"]] == ["pos", "neg"]
        assert names == ["neg", "neu", "pos"]


def test_a_class_that_training_does_not_name_is_told(tmp_path: Path) -> None:
    own = {"train": split(["a", "b"], ["a", "b"]), "validation": split(["b", "c"], ["c"])}
    datasets.DatasetDict(own).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match="the validation split uses the class 'c'"):
        load_raw(DataParams(custom_dataset_path=str(tmp_path / "saved")))


def test_text_and_numbers_name_the_same_class() -> None:
    labels = read_labels(datasets.Dataset.from_dict({"label": ["10", "9", "8"]}), "label")
    assert labels.names == ("8", "9", "10")
    assert [labels.find(value) for value in ("9", 9, 9.0, "09", None, 7)] == [1, 1, 1, None, None, None]


def test_spellings_that_differ_in_white_space_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adapt_core"):
        labels = read_labels(datasets.Dataset.from_dict({"label": ["positive", "positive ", "negative"]}), "label")
    assert len(labels.names) == 3
    assert "'positive', 'positive '" in caplog.text
