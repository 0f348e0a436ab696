"""DO_PREDICT: the test split, with or without labels, is predicted when the run has finished."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.run_folder.ownership import Ownership
from adapt_core.testing import small_models

Keys = dict[str, Any]
Folder = Callable[..., dict[str, Any]]


@pytest.fixture
def data(tmp_path: Path) -> Folder:
    """Writes splits of rows and returns the key that names their folder."""

    def write(**splits: list[dict[str, Any]]) -> dict[str, Any]:
        folder = tmp_path / "data"
        folder.mkdir()
        for split, rows in splits.items():
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {"CUSTOM_DATASET_PATH": str(folder), "MAX_TRAIN_SAMPLES": None, "MAX_EVAL_SAMPLES": None}

    return write


def predicted(result: Any) -> list[dict[str, Any]]:
    lines = (Path(result.output_dir) / "predictions" / "test.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


FILMS = [{"id": n, "text": "good film" if n % 2 else "bad film", "label": "pos" if n % 2 else "neg"} for n in range(20)]


def unlabelled(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


def test_texts_without_labels_are_predicted_as_adapt_predict_does(
    run: Callable[..., Any], data: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    keys = data(train=FILMS, test=unlabelled(FILMS[:5], "label"))
    result = run(**keys, DO_PREDICT=True)
    found = predicted(result)
    again = adapt_core.predict(result, [row["text"] for row in FILMS[:5]])
    assert found == [{"id": n, **answer} for n, answer in enumerate(again)]
    assert "It is predicted when the run has finished" in caplog.text
    assert result.metrics["test"] is None
    assert run(**keys, DO_PREDICT=True, resume=True).steps == result.steps  # finished: nothing is written again


def test_a_labelled_split_is_evaluated_and_predicted(run: Callable[..., Any], data: Folder) -> None:
    result = run(**data(train=FILMS, test=FILMS[:4]), DO_PREDICT=True, SAVE_METHOD="full_torch_model")
    assert result.metrics["test"]["accuracy"] >= 0
    assert [(row["id"], row["label"] in ("pos", "neg")) for row in predicted(result)] == [(n, True) for n in range(4)]


def test_without_the_key_nothing_is_predicted_and_the_log_names_it(
    run: Callable[..., Any], data: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(**data(train=FILMS, test=unlabelled(FILMS[:4], "label")))
    assert not (Path(result.output_dir) / "predictions").exists()
    assert "DO_PREDICT: true predicts it when the run has finished" in caplog.text


def test_a_row_that_cannot_be_predicted_does_not_fail_the_finished_run(
    run: Callable[..., Any], data: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(**data(train=FILMS, test=[{"text": ""}, {"text": None}]), DO_PREDICT=True)
    assert result.steps
    assert (
        "the test split is not predicted: input 1 is empty. Give a text. (1 more input cannot be used.)" in caplog.text
    )


def test_the_other_rows_are_predicted_and_a_bad_one_says_why_not(
    run: Callable[..., Any], data: Folder, tmp_path: Path, tiny_llama: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"id": 0, "text": "good film"}, {"id": 1, "text": ""}, {"id": 2, "text": None}, {"id": 3, "text": "bad"}]
    result = run(**data(train=FILMS, test=rows), DO_PREDICT=True)
    first, empty, missing, last = predicted(result)
    assert [first, last] == [
        {"id": row["id"], **answer}
        for row, answer in zip((rows[0], rows[3]), adapt_core.predict(result, ["good film", "bad"]), strict=True)
    ]
    assert empty == {"id": 1, "text": "", "error": "is empty. Give a text."}
    assert missing == {"id": 2, "error": "is missing (null). Give a text."}
    assert "the test split: row 2 has no prediction: is empty. Give a text." in caplog.text

    asked = [{"id": n, "prompt": "good?", "completion": " film"} for n in range(20)]
    (tmp_path / "data").rename(tmp_path / "films")
    given = data(
        train=asked, test=[{"id": 7, "prompt": "good?"}, {"id": 8, "prompt": 5}, {"id": 9, "prompt": "x " * 999}]
    )
    changes = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "OUTPUT_DIR": str(tmp_path / "written")}
    written, number, long = predicted(run(**given, **changes, DO_PREDICT=True, max_new_tokens=2))
    assert (written["id"], written["prompt"]) == (7, "good?")
    assert (number["id"], number["error"]) == (8, "'prompt' is int 5, not text. Give a text.")
    assert "tokens; the model takes prompts of 1 to" in long["error"]


def test_a_finished_run_is_resumed_for_a_test_split_that_it_has_not_predicted(
    run: Callable[..., Any], data: Folder
) -> None:
    keys = data(train=FILMS, test=FILMS[:4])
    first = run(**keys)
    result = run(**keys, DO_PREDICT=True, resume=True)
    assert result.steps == first.steps
    answers = adapt_core.predict(result, [row["text"] for row in FILMS[:4]])
    assert predicted(result) == [{**row, **answer} for row, answer in zip(FILMS, answers, strict=False)]
    file = Path(result.output_dir) / "predictions" / "test.jsonl"
    before = file.stat()
    run(**keys, DO_PREDICT=True, resume=True)
    assert file.stat() == before


def test_a_finished_run_does_not_trust_the_pickle_that_it_meets(
    run: Callable[..., Any], data: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    keys = {**data(train=FILMS, test=FILMS[:4]), "SAVE_METHOD": "full_torch_model"}
    run(**keys)
    result = run(**keys, DO_PREDICT=True, resume=True)
    assert "the test split is not predicted" in caplog.text
    assert "TRUST_REMOTE_CODE" in caplog.text
    run(**keys, DO_PREDICT=True, resume=True, TRUST_REMOTE_CODE=True)
    assert len(predicted(result)) == 4


def test_a_folder_that_somebody_made_during_training_is_not_touched(
    run: Callable[..., Any], data: Folder, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    from adapt_core.hf.loop.callbacks import MetricsCallback

    mine = tmp_path / "run" / "predictions" / "test.jsonl"
    on_step_end = MetricsCallback.on_step_end

    def write_mine(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
        on_step_end(self, args, state, control, **options)
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")

    monkeypatch.setattr(MetricsCallback, "on_step_end", write_mine)
    keys = data(train=FILMS, test=FILMS[:4])
    result = run(**keys, DO_PREDICT=True)
    assert mine.read_text() == "mine"
    assert "the test split is not predicted" in caplog.text
    assert "Move them away" in caplog.text
    assert "predictions" not in Ownership.of(tmp_path / "run").written
    mine.unlink()
    mine.parent.rmdir()
    run(**keys, DO_PREDICT=True, resume=True)
    assert len(predicted(result)) == 4


def test_no_test_split_is_said(run: Callable[..., Any], data: Folder, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    run(**data(train=FILMS), DO_PREDICT=True)
    assert "DO_PREDICT: the data has no test split" in caplog.text


def test_tags_answers_and_written_texts(
    run: Callable[..., Any], keys: Keys, data: Folder, tmp_path: Path, tiny_llama: Path
) -> None:
    words = [{"id": f"w{n}", "tokens": ["Ada", "sees"], "ner_tags": ["B-PER", "O"]} for n in range(20)]
    result = run(**data(train=words, test=unlabelled(words[:2], "ner_tags")), DO_PREDICT=True, subtask="ner")
    assert [row["id"] for row in predicted(result)] == ["w0", "w1"]

    context = "Ada sees a film in Paris"
    asked = [
        {"id": f"q{n}", "question": "who?", "context": context, "answers": {"text": ["Ada"], "answer_start": [0]}}
        for n in range(20)
    ]
    (tmp_path / "data").rename(tmp_path / "words")
    given = data(train=asked, test=unlabelled(asked[:2], "answers"))
    short = {"max_length": 64, "doc_stride": 16, "OUTPUT_DIR": str(tmp_path / "qa")}
    result = run(**given, **short, DO_PREDICT=True, TASK="question_answering")
    assert [(row["id"], row["answer"] in context) for row in predicted(result)] == [("q0", True), ("q1", True)]

    texts = [{"id": n, "document": f"a film {n}", "summary": "a film"} for n in range(20)]
    (tmp_path / "data").rename(tmp_path / "asked")
    given = data(train=texts, test=unlabelled(texts[:2], "summary"))
    t5 = str(small_models.t5(tmp_path / "t5", ["a film"]))
    changes = {"TASK": "summarization", "MODEL_PATH": t5, "OUTPUT_DIR": str(tmp_path / "texts"), "DO_EVAL": False}
    assert [row["id"] for row in predicted(run(**given, **changes, DO_PREDICT=True, max_target_length=8))] == [0, 1]

    turns = [{"role": "user", "content": "good?"}, {"role": "assistant", "content": "film"}]
    chats = [{"id": n, "messages": turns} for n in range(20)]
    (tmp_path / "data").rename(tmp_path / "texts-data")
    given = data(train=chats, test=[chats[0], {"id": 1, "messages": turns[:1]}])
    changes = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "OUTPUT_DIR": str(tmp_path / "chats")}
    found = predicted(run(**given, **changes, DO_PREDICT=True, max_new_tokens=2, SKIP_BAD_ROWS=True))
    assert [(row["id"], row["prompt"]) for row in found] == [(0, "good?"), (1, "good?")]


@pytest.mark.parametrize("asked", [{"prompt": "good?"}, {"messages": [{"role": "user", "content": "good?"}]}])
def test_questions_without_answers_are_left_out_of_the_evaluation_and_answered(
    asked: dict[str, Any],
    run: Callable[..., Any],
    data: Folder,
    tiny_llama: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = {"role": "assistant", "content": "film"}
    answered = {"messages": [*asked["messages"], answer]} if "messages" in asked else {**asked, "completion": " film"}
    keys = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "max_new_tokens": 2, "DO_PREDICT": True}
    result = run(**data(train=[answered] * 20, test=[{"id": n, **asked} for n in (3, 5)]), **keys)
    assert result.metrics["test"] is None
    assert [(row["id"], row["prompt"]) for row in predicted(result)] == [(3, "good?"), (5, "good?")]
    assert "so it is left out of the evaluation. It is predicted when the run has finished" in caplog.text
