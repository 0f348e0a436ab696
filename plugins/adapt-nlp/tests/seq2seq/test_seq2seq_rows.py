"""The rows of summarization and translation: columns of any name, files to predict, bad rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import predict
from adapt_core.errors import InputError

from ..seq2seq_models import english, translations, write

Run = Callable[..., Any]


def test_pairs_may_stand_in_two_columns_of_any_name(translate: Run, tmp_path: Path) -> None:
    same = translate().metrics["after"]
    rows = [row["translation"] for row in translations(32)], [row["translation"] for row in translations(8, 500)]
    for number, (source, target, keys) in enumerate(
        [
            ("en", "ro", {}),
            ("text", "ro", {}),
            ("body", "ro", {"dataset_text_field": "body"}),
            ("question", "answer", {"input_column": "question", "target_column": "answer"}),
            ("a", "ro", {"FORMAT_STRING": "{a}"}),
        ]
    ):
        splits = [[{source: row["en"], target: row["ro"]} for row in split] for split in rows]
        data = write(tmp_path / f"columns-{number}", train=splits[0], validation=splits[1])
        assert translate(CUSTOM_DATASET_PATH=str(data), **keys).metrics["after"] == same, source


def test_summaries_may_stand_in_columns_of_any_name(summarize: Run, tmp_path: Path) -> None:
    rows = [{"title": "red", "body": english(n), "tldr": english(n)[:9]} for n in range(20)]
    data = str(write(tmp_path / "named", train=rows, validation=rows[:4]))
    named = summarize(CUSTOM_DATASET_PATH=data, input_column="body", target_column="tldr").metrics
    assert summarize(CUSTOM_DATASET_PATH=data, dataset_text_field="body", target_column="tldr").metrics == named
    both = summarize(CUSTOM_DATASET_PATH=data, FORMAT_STRING="{title}: {body}", target_column="tldr").metrics
    assert both["before"]["loss"] != named["before"]["loss"]
    with pytest.raises(InputError, match="input_column: the train split has no column 'document'; it has: title, body"):
        summarize(CUSTOM_DATASET_PATH=data, target_column="tldr")


def test_files_of_the_training_data_s_form_can_be_predicted(translate: Run, tmp_path: Path) -> None:
    result = translate()
    found = predict(result.output_dir, [str(tmp_path / "pairs" / "validation.jsonl"), "red cat"])
    assert [row["text"] for row in found] == [row["translation"]["en"] for row in translations(8, 500)] + ["red cat"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"translation": {"en": "red"}}, "column 'translation', language 'ro': missing (null)"),
        ({"translation": {"en": " ", "ro": "roșu"}}, "column 'translation', language 'en': empty"),
        ({"translation": None}, "column 'translation' is missing (null); it maps languages to texts"),
        ({"translation": {"en": 7, "ro": "roșu"}}, "column 'translation', language 'en': int 7, not text"),
    ],
)
def test_a_bad_translation_is_named_by_its_row_or_dropped(
    translate: Run, tmp_path: Path, row: dict[str, Any], fault: str
) -> None:
    good = translations(20)
    data = str(write(tmp_path / "bad", train=[*good[:4], row, *good[4:]], validation=good[:4]))
    with pytest.raises(InputError) as caught:
        translate(CUSTOM_DATASET_PATH=data)
    assert f"train row 5: {fault}" in str(caught.value)
    result = translate(CUSTOM_DATASET_PATH=data, SKIP_BAD_ROWS=True)
    assert (result.data["train_dropped"], result.data["train_rows"]) == (1, 20)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"document": "", "summary": "red"}, "column 'document' is empty"),
        ({"document": "red", "summary": None}, "column 'summary' is missing (null)"),
        ({"document": "red", "summary": 3}, "column 'summary' is int 3, not text"),
    ],
)
def test_a_bad_document_is_named_by_its_row_or_dropped(
    summarize: Run, tmp_path: Path, row: dict[str, Any], fault: str
) -> None:
    good = [{"document": english(n), "summary": "red cat"} for n in range(20)]
    data = str(write(tmp_path / "bad", train=[*good[:2], row, *good[2:]], validation=good[:4]))
    with pytest.raises(InputError) as caught:
        summarize(CUSTOM_DATASET_PATH=data)
    assert f"train row 3: {fault}" in str(caught.value)
    assert summarize(CUSTOM_DATASET_PATH=data, SKIP_BAD_ROWS=True).data["train_dropped"] == 1


def test_a_bad_row_ends_the_command_with_exit_code_2(forked_adapt: Any, tiny_t5: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "bad", train=[*translations(3), {"translation": {"en": "red"}}])
    keys = {"TASK": "translation", "MODEL_PATH": str(tiny_t5), "CUSTOM_DATASET_PATH": str(data)}
    (tmp_path / "c.yaml").write_text(json.dumps(keys), encoding="utf-8")
    done = forked_adapt("run", "c.yaml")
    assert done.returncode == 2, done.stderr
    assert "train row 4: column 'translation', language 'ro': missing (null)" in done.stderr
    assert "Traceback" not in done.stderr
