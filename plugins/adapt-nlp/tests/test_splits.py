"""Test splits without labels, and samples of a split, are told in the log."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.execution.components import make_task
from adapt_core.plugin.registry import Registry
from adapt_core.testing import small_models

ROWS = {"text": ["good film", "bad film"] * 10, "label": [1, 0] * 10}


def load(keys: dict[str, Any], **changes: Any) -> Any:
    """Return the data of a run on all rows."""
    plan = resolve(
        RunConfig.read({**keys, "MAX_TRAIN_SAMPLES": None, "MAX_EVAL_SAMPLES": None, **changes}), Registry.discover()
    )
    return make_task(plan).load_data()


@pytest.mark.parametrize("skip", [False, True])
def test_a_test_split_with_labels_of_minus_one_is_left_out(
    keys: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, skip: bool
) -> None:
    names = datasets.ClassLabel(names=["neg", "pos"])
    train = datasets.Dataset.from_dict(ROWS).cast_column("label", names)
    test = datasets.Dataset.from_dict({**ROWS, "label": [-1] * 20}).cast_column("label", names)
    splits = datasets.DatasetDict({"train": train, "validation": train, "test": test})
    splits.save_to_disk(str(tmp_path / "glue"))
    data = load(keys, CUSTOM_DATASET_PATH=str(tmp_path / "glue"), SKIP_BAD_ROWS=skip)
    assert data.test is None
    assert len(data.validation) == 20
    assert "the test split has no labels in column 'label', so it is left out" in caplog.text


@pytest.mark.parametrize("header", ["id,text", "id,text,label"])
def test_the_test_file_of_a_competition_is_left_out(
    keys: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    folder = tmp_path / "kaggle"
    folder.mkdir()
    (folder / "train.csv").write_text(
        "id,text,label\n" + "".join(f"{n},a film,{'pos' if n % 2 else 'neg'}\n" for n in range(20))
    )
    (folder / "test.csv").write_text(header + "\n" + ("1,a film" + "," * (header.count(",") - 1) + "\n") * 3)
    data = load(keys, CUSTOM_DATASET_PATH=str(folder))
    assert data.test is None
    assert "the test split has no labels" in caplog.text


def test_minus_one_is_a_label_where_training_has_it(keys: dict[str, Any], tmp_path: Path) -> None:
    for split, labels in (("train", [-1, 0, 1] * 7), ("test", [-1] * 4)):
        rows = [{"text": "a film", "label": label} for label in labels]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(load(keys, CUSTOM_DATASET_PATH=str(tmp_path)).test) == 4


def test_words_without_tags_are_left_out(
    keys: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for split, row in (
        ("train", {"tokens": ["Ada", "sees"], "ner_tags": ["B-PER", "O"]}),
        ("test", {"tokens": ["Ada", "sees"], "ner_tags": []}),
    ):
        (tmp_path / f"{split}.jsonl").write_text((json.dumps(row) + "\n") * 20)
    assert load(keys, subtask="ner", CUSTOM_DATASET_PATH=str(tmp_path)).test is None
    assert "no labels in column 'ner_tags'" in caplog.text


@pytest.mark.parametrize("task", ["summarization", "question_answering"])
def test_a_sample_by_default_is_told_with_its_key(
    keys: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, task: str
) -> None:
    caplog.set_level(logging.INFO, "adapt_core")
    answer = {"question": "what?", "answers": {"text": ["film"], "answer_start": [0]}}
    rest = {"summary": "a film"} if task == "summarization" else answer
    column = "document" if task == "summarization" else "context"
    rows = [{column: f"film {number}", **rest} for number in range(3000)]
    for split in ("train", "validation"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes: dict[str, Any] = {"max_length": 64, "doc_stride": 16}
    if task == "summarization":
        changes = {"MODEL_PATH": str(small_models.t5(tmp_path / "t5", ["a film"]))}
    config = {key: value for key, value in keys.items() if not key.startswith("MAX_")}
    plan = resolve(
        RunConfig.read({**config, "TASK": task, "CUSTOM_DATASET_PATH": str(tmp_path), **changes}), Registry.discover()
    )
    data = make_task(plan).load_data()
    texts = data.rows["train"][column][:]
    assert len(data.rows["train"]) == 1000
    assert texts != [f"film {number}" for number in range(1000)]
    for split, key in (("train", "MAX_TRAIN_SAMPLES"), ("validation", "MAX_EVAL_SAMPLES")):
        assert f"{split} split: a sample of 1000 of 3000 rows is used ({key})" in caplog.text


def test_a_class_without_validation_rows_is_told(
    keys: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = ["common"] * 97 + ["rare"] * 3 + ["single"]
    rows = [{"text": "a film", "label": label} for label in labels]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = load(keys, CUSTOM_DATASET_PATH=str(tmp_path))
    assert Counter(data.labels[label] for label in data.validation["labels"]) == {"common": 10, "rare": 1}
    assert "validation has none of: single" in caplog.text
