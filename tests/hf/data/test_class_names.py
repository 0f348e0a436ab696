# ruff: noqa: E402
"""A class is known by its name: no number of one split is read by the list of another."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

datasets = pytest.importorskip("datasets", reason="needs the extra adapt-core[hf]")

from adapt_core.config.core_params.data import DataParams
from adapt_core.errors import DataError, InputError
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


@pytest.mark.parametrize(("lists", "kind"), [(False, "label"), (True, "tags")])
def test_names_of_validation_alone_stand_in_place_of_its_numbers(tmp_path: Path, lists: bool, kind: str) -> None:
    """Training has the classes as they are written, 1 and 2; the number 1 of validation's list is the class 1 there."""
    (tmp_path / "train.jsonl").write_text(
        "".join(f'{{"text": "a", "{kind}": {[value] if lists else value}}}\n' for value in (1, 2))
    )
    names = datasets.ClassLabel(names=["2", "1"])
    feature = datasets.List(names) if lists else names
    rows = datasets.Dataset.from_dict({"text": ["a", "a"], kind: [[1], [0]] if lists else [1, 0]})
    rows.cast_column(kind, feature).to_parquet(str(tmp_path / "validation.parquet"))
    found = load_raw(DataParams(custom_dataset_path=str(tmp_path)))["validation"][kind][:]
    assert found == ([["1"], ["2"]] if lists else ["1", "2"])


def test_numbers_of_training_are_those_of_a_split_whose_names_are_words(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\na,0\nb,1\n")
    rows = datasets.Dataset.from_dict({"text": ["a", "a"], "label": [1, 0]})
    named = rows.cast_column("label", datasets.ClassLabel(names=["neg", "pos"]))
    named.to_parquet(str(tmp_path / "validation.parquet"))
    splits = load_raw(DataParams(custom_dataset_path=str(tmp_path)))
    labels = read_labels(splits["train"], "label")
    assert [labels.find(value) for value in splits["validation"]["label"]] == [1, 0]


def test_text_and_numbers_name_the_same_class() -> None:
    labels = read_labels(datasets.Dataset.from_dict({"label": ["10", "9", "8"]}), "label")
    assert labels.names == ("8", "9", "10")
    assert [labels.find(value) for value in ("9", 9, 9.0, "09", None, 7)] == [1, 1, 1, None, None, None]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "mixed"])
def test_a_word_among_the_numbers_of_training_changes_no_class(tmp_path: Path, kind: str) -> None:
    """Training has the labels 1, 2 and other, validation 1 and 2, which a reader would take for numbers there."""
    for split, labels in (("train", ["1", "2", "other"]), ("validation", ["1", "2"])):
        if kind == "csv" or (kind == "mixed" and split == "train"):
            (tmp_path / f"{split}.csv").write_text("label\n" + "".join(f"{label}\n" for label in labels))
        else:
            lines = (f'{{"label": {label if label.isdigit() else chr(34) + label + chr(34)}}}\n' for label in labels)
            (tmp_path / f"{split}.jsonl").write_text("".join(lines))
    splits = load_raw(DataParams(custom_dataset_path=str(tmp_path)))
    labels = read_labels(splits["train"], "label")
    assert labels.names == ("1", "2", "other")
    assert [labels.find(value) for value in splits["validation"]["label"]] == [0, 1]


def test_spellings_that_differ_in_white_space_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adapt_core"):
        labels = read_labels(datasets.Dataset.from_dict({"label": ["positive", "positive ", "negative"]}), "label")
    assert len(labels.names) == 3
    assert "'positive', 'positive '" in caplog.text


def test_classes_get_the_ids_of_a_model_that_knows_them(caplog: pytest.LogCaptureFixture) -> None:
    known = ("low", "high", "middle")
    words = datasets.Dataset.from_dict({"label": ["high", "middle"]})
    numbers = datasets.Dataset.from_dict({"label": [1, 2, 1]})
    numbers = numbers.cast_column("label", datasets.ClassLabel(names=["unused", "middle", "high"]))
    assert [read_labels(words, "label", known).find(value) for value in ("high", "middle", "unused")] == [1, 2, None]
    assert [read_labels(numbers, "label", known).find(value) for value in (1, 2, 0, 3, -1)] == [2, 1, None, None, None]
    assert read_labels(numbers, "label", known).names == known
    assert "no row of 1 class (low)" in caplog.text


def test_a_class_that_the_model_does_not_know_is_named() -> None:
    rows = datasets.Dataset.from_dict({"label": ["high", "new", "newer"]})
    with pytest.raises(
        InputError, match=r"2 classes \(new, newer\) that the model of the run does not know \(it knows lo"
    ):
        read_labels(rows, "label", ("low", "high"))
