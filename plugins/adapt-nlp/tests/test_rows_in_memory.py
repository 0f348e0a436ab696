"""Data in memory trains as the same data in files does: rows, a Dataset, a DataFrame, and splits of these."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError

Keys = dict[str, Any]
Rows = list[dict[str, Any]]
WORDS = ("red", "green", "blue")
TRAIN = [{"text": f"{word} {number}", "label": word} for number in range(6) for word in WORDS]
VALIDATION = [{"text": f"{word} and white", "label": word} for word in WORDS]


def as_frame(rows: Rows) -> Any:
    frame = pytest.importorskip("pandas").DataFrame(rows)
    return frame.astype({"label": "category"})


def as_dataset(rows: Rows) -> Any:
    from datasets import Dataset

    return Dataset.from_list(rows)


FORMS: dict[str, Callable[[Rows], Any]] = {"list": list, "tuple": tuple, "Dataset": as_dataset, "DataFrame": as_frame}


@pytest.fixture
def keys(tiny_encoder: Path, tmp_path: Path) -> Keys:
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "MAX_STEPS": 3,
        "BATCH_SIZE": 8,
        "NUM_WORKERS": 0,
        "OVERWRITE_OUTPUT_DIR": True,
    }


def test_every_form_trains_as_files_do(keys: Keys, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name, rows in (("train", TRAIN), ("validation", VALIDATION)):
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    expected = adapt_core.run({**keys, "CUSTOM_DATASET_PATH": str(data)}).metrics
    for name, form in FORMS.items():
        result = adapt_core.run(keys, data={"train": form(TRAIN), "validation": form(VALIDATION)})
        assert result.metrics == expected, name
        assert [found["text"] for found in adapt_core.predict(result, form(VALIDATION))] == [
            row["text"] for row in VALIDATION
        ]


def test_rows_take_the_place_of_the_data_that_a_config_names(keys: Keys) -> None:
    named = {"DATASET": "imdb", "DATASET_SUBNAME": "plain", "TRAIN_DIR": "nowhere", "VAL_DIR": "neither"}
    plan = adapt_core.check({**keys, **named}, data=TRAIN, overrides=["MAX_STEPS=1"])
    assert (plan.data.dataset, plan.data.dataset_subname, plan.data.train_dir, plan.data.val_dir) == (None,) * 4
    assert plan.training.max_steps == 1
    lines = (Path(str(plan.data.custom_dataset_path)) / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == TRAIN


def test_a_plan_is_the_same_for_the_same_rows_alone(keys: Keys) -> None:
    for form in FORMS.values():
        first, again, other = (adapt_core.check(keys, data=form(rows)) for rows in (TRAIN, TRAIN, TRAIN[1:]))
        assert first.config_sha256 == again.config_sha256 != other.config_sha256


def test_chunks_of_a_dataset_are_not_its_content(keys: Keys) -> None:
    from datasets import concatenate_datasets

    whole = as_dataset(TRAIN)
    pieces = concatenate_datasets([as_dataset(TRAIN[:5]), as_dataset(TRAIN[5:])])
    chosen = concatenate_datasets([as_dataset(VALIDATION), whole]).select(
        range(len(VALIDATION), len(VALIDATION + TRAIN))
    )
    assert len({adapt_core.check(keys, data=rows).config_sha256 for rows in (whole, pieces, chosen)}) == 1


def test_a_run_resumes_with_its_rows_and_with_no_others(keys: Keys, tmp_path: Path) -> None:
    keys = {**keys, "INTERVAL": "steps", "INTERVAL_STEPS": 1, "DO_EVAL": False}
    adapt_core.run(keys, data=TRAIN)
    (tmp_path / "run" / "result.json").unlink()
    with pytest.raises(InputError, match="cannot be resumed with other values of CUSTOM_DATASET_PATH"):
        adapt_core.run(keys, data=TRAIN[:-1], resume=True)
    assert adapt_core.run(keys, data=list(TRAIN), resume=True).steps == 3


def test_the_rows_are_not_needed_once_the_run_is_finished(keys: Keys, tmp_path: Path) -> None:
    result = adapt_core.run(keys, data=as_dataset(TRAIN))
    shutil.rmtree(adapt_core.check(keys, data=as_dataset(TRAIN)).data.custom_dataset_path or "")
    assert adapt_core.predict(result, "green 1") == adapt_core.predict(tmp_path / "run", ["green 1"])
    assert adapt_core.export(result, "safetensors", tmp_path / "exported").is_dir()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "the train split has no rows"),
        ({}, "an empty mapping"),
        ({"vaildation": TRAIN}, "vaildation.* is no split. Give rows, or a mapping of train, validation, test"),
        ({"text": ["a"], "label": ["b"]}, "text.* is no split"),
        (["a text"], "row 1 of train is str: give each row as a dict of columns"),
        ({"train": "rows.csv"}, "train is str. Give a list of dicts, a datasets.Dataset or a pandas DataFrame"),
        ([{"text": b"a", "label": 1}, {"text": {"b": 1}, "label": 2}], "the rows of train are no table"),
    ],
)
def test_what_is_no_table_is_refused(data: Any, said: str, keys: Keys) -> None:
    with pytest.raises(InputError, match=said):
        adapt_core.check(keys, data=data)
