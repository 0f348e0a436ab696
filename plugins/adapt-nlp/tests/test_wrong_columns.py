"""A wrong column is told by the table's head: before torch, transformers or the model is loaded."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError

CHECK = """
import json, sys
import adapt_core
from adapt_core.errors import InputError
try:
    adapt_core.check(sys.argv[1])
except InputError as error:
    heavy = [name for name in ("torch", "transformers", "datasets", "pandas") if name in sys.modules]
    print(json.dumps({"message": str(error), "heavy": heavy}))
"""
TASKS: dict[str, dict[str, Any]] = {
    "text_classification": {"input_column": "txet", "row": {"text": "a", "label": "b"}},
    "ner": {
        "TASK": "text_classification",
        "subtask": "ner",
        "input_column": "wrods",
        "row": {"words": ["a"], "tags": ["O"]},
    },
    "question_answering": {"row": {"kontext": "a", "question": "b", "answers": {"text": ["a"], "answer_start": [0]}}},
    "translation": {"target_lang": "de", "row": {"translation": {"en": "a", "fr": "b"}}},
    "text_generation": {"input_column": "body", "row": {"text": "a"}},
    "summarization": {"target_column": "sumary", "row": {"document": "a", "summary": "b"}},
}


def checked(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return what a check says of a config, and which heavy libraries it had loaded by then."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = run([sys.executable, "-c", CHECK, tmp_path / "config.json"], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def stored(rows: list[dict[str, Any]], suffix: str, folder: Path) -> Path:
    """Return a data folder with a training table."""
    folder.mkdir()
    file = folder / f"train{suffix}"
    if suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    elif suffix == ".csv":
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        file.write_text("\n".join(lines))
    else:
        file.write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.mark.parametrize(
    ("task", "suffix", "column", "there"),
    [
        ("text_classification", ".csv", "input_column", "'txet'; it has: text, label. Did you mean 'text'?"),
        ("text_classification", ".parquet", "input_column", "'txet'; it has: text, label. Did you mean 'text'?"),
        ("ner", ".jsonl", "input_column", "'wrods'; it has: words, tags. Did you mean 'words'?"),
        ("question_answering", ".jsonl", "input_column", "'context'; it has: kontext, question, answers."),
        ("translation", ".jsonl", "target_lang", "'de'; it has en, fr. Set source_lang"),
        ("translation", ".parquet", "target_lang", "'de'; it has en, fr. Set source_lang"),
        ("text_generation", ".csv", "input_column", "'body'; it has: text."),
        ("text_generation", ".jsonl", "input_column", "'body'; it has: text."),
        ("summarization", ".parquet", "target_column", "'sumary'; it has: document, summary."),
    ],
)
def test_nothing_heavy_is_loaded(
    task: str, suffix: str, column: str, there: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    keys = dict(TASKS[task])
    data = stored([keys.pop("row")] * 3, suffix, tmp_path / "data")
    config = {"TASK": task, "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(data), **keys}
    found = checked(config, tmp_path)
    lacks = {"target_lang": "the column 'translation' of the train split has no"}
    what = lacks.get(column, "the train split has no column")
    assert found["message"].startswith(f"{column}: {what} {there}")
    assert found["heavy"] == []


def test_a_json_column_may_begin_in_a_later_row(tiny_encoder: Path, tmp_path: Path) -> None:
    data = stored([{"text": "a"}, {"text": "b", "label": "c"}], ".jsonl", tmp_path / "data")
    config = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(data)}
    found = checked({**config, "target_column": "labl"}, tmp_path)
    assert "no column 'labl'; it has: text, label. Did you mean 'label'?" in found["message"]


def test_a_split_that_is_not_used_may_lack_the_column(tiny_encoder: Path, tmp_path: Path) -> None:
    """DO_EVAL false: the validation file is not read."""
    data = stored([{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(8)], ".csv", tmp_path / "data")
    (data / "validation.csv").write_text("other\n1\n")
    config = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(data)}
    with pytest.raises(InputError, match="the validation split has no column 'text'"):
        adapt_core.check(config)
    adapt_core.check({**config, "DO_EVAL": False})


def test_the_files_of_a_json_split_have_their_columns_together(tiny_encoder: Path, tmp_path: Path) -> None:
    data = stored([{"text": "a"}], ".jsonl", tmp_path / "data")
    (data / "train.jsonl").rename(data / "train-1.jsonl")
    (data / "train-2.jsonl").write_text(json.dumps({"text": "b", "label": "c"}))
    config = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(data)}
    adapt_core.check(config)
    with pytest.raises(InputError, match="no column 'body'; it has: text, label"):
        adapt_core.check({**config, "input_column": "body"})


def test_json_without_a_row_is_left_to_the_reader(tiny_encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("[]")
    keys = {"MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(tmp_path / "train.json")}
    adapt_core.check({"TASK": "text_classification", **keys})


def test_a_header_that_only_the_whole_file_explains_is_found(tiny_encoder: Path, tmp_path: Path) -> None:
    """A cell in a quoted header that is escaped by a backslash is no fault of the column that is looked for."""
    (tmp_path / "train.csv").write_text('text,"la\\"bel"\n"a \\"b\\"",c\n')
    keys = {"MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(tmp_path / "train.csv")}
    adapt_core.check({"TASK": "text_classification", **keys, "target_column": 'la"bel'})


def test_rows_of_text_generation_without_any_known_column_are_told(tiny_encoder: Path, tmp_path: Path) -> None:
    data = stored([{"body": "a", "prompt": "b"}], ".jsonl", tmp_path / "data")
    config = {"TASK": "text_generation", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(data)}
    found = checked(config, tmp_path)
    assert found["message"].startswith("dataset_text_field: the data has no column 'text'; it has: body, prompt.")
    assert found["heavy"] == []
    adapt_core.check({**config, "target_column": "body"})  # the answer to `prompt`


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_json_of_any_size_is_read_until_its_columns_are_seen(suffix: str, tiny_encoder: Path, tmp_path: Path) -> None:
    """A broken end shows how far a file is read; the head of a document is a million characters."""
    rows = [json.dumps({"text": "x" * 100, "label": "y"})] * 20_000
    text = "\n".join([*rows, "{broken"]) if suffix == ".jsonl" else "[" + ", ".join([*rows, "{broken"])
    (tmp_path / f"train{suffix}").write_text(text)
    keys = {"MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(tmp_path / f"train{suffix}")}
    adapt_core.check({"TASK": "text_classification", **keys})
    with pytest.raises(InputError, match="not valid JSON"):
        adapt_core.check({"TASK": "text_classification", **keys, "target_column": "labl"})


def test_the_columns_of_a_saved_data_set_are_told(tiny_encoder: Path, tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    rows = Dataset.from_list([{"text": "a", "label": "b"}])
    rows.save_to_disk(tmp_path / "one")
    DatasetDict({"training": rows, "dev": rows.rename_column("text", "body")}).save_to_disk(tmp_path / "several")
    config = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "input_column": "body"}
    found = checked({**config, "CUSTOM_DATASET_PATH": str(tmp_path / "one")}, tmp_path)
    assert found["message"].startswith("input_column: the train split has no column 'body'; it has: text, label.")
    assert found["heavy"] == []
    several = {**config, "CUSTOM_DATASET_PATH": str(tmp_path / "several"), "input_column": "text"}
    with pytest.raises(InputError, match="the validation split has no column 'text'; it has: body, label"):
        adapt_core.check(several)
