"""Where the files of splits are: named by keys, or beside the training split that a key names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest

from adapt_core.config.core_params.data import DataParams
from adapt_core.hf.data.source import load_raw, locate_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables in data/ below the working directory, and one in data/train/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "train").mkdir(parents=True)
    for name in ("train", "spring", "validation", "a_test", "test", "train/part"):
        (tmp_path / "data" / f"{name}.csv").write_text("text,label\nhello,greeting\n", encoding="utf-8")
    return tmp_path / "data"


def names(**keys: str | None) -> Mapping[str, list[str]]:
    local = locate_files(attrs.evolve(DataParams(), **keys))
    assert local is not None
    return {split: [path.name for path in paths] for split, paths in local.files.items()}


@pytest.mark.parametrize(
    ("root", "train", "file"),
    [
        ("data", "train.csv", "train.csv"),
        ("data", "spring.csv", "spring.csv"),
        ("data", "train", "part.csv"),
        (None, "data/train.csv", "train.csv"),
        (None, "data/train", "part.csv"),
    ],
)
def test_splits_that_no_key_names_are_found_beside_the_training_split(
    folder: Path, root: str | None, train: str, file: str
) -> None:
    """A held-out part of the training rows would say nothing of a validation.csv that lies beside them."""
    expected = {"train": [file], "validation": ["validation.csv"], "test": ["test.csv"]}
    assert names(custom_dataset_path=root, train_dir=train) == expected


def test_a_file_is_one_split_only(folder: Path) -> None:
    found = names(custom_dataset_path="data", train_dir="train.csv", val_dir="test.csv")
    assert found == {"train": ["train.csv"], "validation": ["test.csv"]}


def test_files_beside_a_training_split_of_another_name_and_place_are_no_splits(folder: Path) -> None:
    assert names(train_dir="data/spring.csv") == {"train": ["spring.csv"]}


def test_what_a_project_keeps_beside_its_rows_is_no_split(tmp_path: Path) -> None:
    for name, text in {
        "train.jsonl": '{"text": "a"}\n',
        "dev/requirements.txt": "torch\n",
        "test/README.jsonl": '{"text": "b"}\n',
        "eval.json": "{}",
        "valid.jsonl": '{"text": "c"}\n',
        "dev.jsonl": '{"text": "d"}\n',
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = names(custom_dataset_path=str(tmp_path), train_dir="train.jsonl")
    assert found == {"train": ["train.jsonl"], "validation": ["valid.jsonl"]}


def test_splits_found_beside_are_said_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("datasets")
    keys = attrs.evolve(DataParams(), custom_dataset_path="data", train_dir="train.csv", val_dir="validation.csv")
    with caplog.at_level("INFO"):
        locate_files(keys)
        load_raw(keys)
    [said] = [record.getMessage() for record in caplog.records if "beside TRAIN_DIR" in record.getMessage()]
    assert said == "TEST_DIR is not set: data/test.csv is read, which lies beside TRAIN_DIR"
