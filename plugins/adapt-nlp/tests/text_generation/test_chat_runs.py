"""Whole runs whose prompts end in a space: what was learned is what is predicted, by adapt and by the card's lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.api import predict
from adapt_core.testing.cards import python_of

from ..chat_models import NO_END, byte_level, llama

PAIRS = {"dog": "cat", "film": "positive", "plot": "negative", "hello": "good morning"}


def trained(tmp_path: Path, rows: list[dict[str, str]], template: str | None, **keys: Any) -> Any:
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = llama(tmp_path / "model", byte_level(adds="<s> $A", template=template))
    return adapt_core.run(
        {
            "TASK": "text_generation",
            "MODEL_PATH": str(model),
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "BATCH_SIZE": 4,
            "MAX_STEPS": 60,
            "LR": 1e-2,
            "DO_EVAL": False,
            "INTERVAL": "no",
            "NUM_WORKERS": 0,
            "max_seq_length": 64,
            "max_new_tokens": 20,
            "SAVE_METHOD": "save_pretrained",
            **keys,
        }
    )


def as_the_card_writes(python: Callable[..., Any], folder: Path, old: str, new: str) -> str:
    code = python_of(folder / "README.md")
    assert old in code
    done = python(f"{code.replace(old, new)}\nprint(repr(text))", folder=folder)
    assert done.returncode == 0, done.stderr
    return str(eval(done.stdout.splitlines()[-1], {}))  # what repr wrote


@pytest.mark.parametrize("packing", [True, False], ids=["packed", "padded"])
def test_questions_are_answered_with_the_template_and_the_answer_ends(
    tmp_path: Path, packing: bool, capsys: pytest.CaptureFixture[str], python: Callable[..., Any]
) -> None:
    rows = [{"question": question, "answer": answer} for question, answer in PAIRS.items()]
    result = trained(tmp_path, rows, NO_END, input_column="question", target_column="answer", packing=packing)
    found = predict(result.output_dir, [*PAIRS, json.dumps(rows[1])])
    assert [answer["generated_text"] for answer in found] == [*PAIRS.values(), "positive"]
    assert [answer["prompt"] for answer in found] == [*PAIRS, "film"]
    if packing:
        assert as_the_card_writes(python, Path(result.output_dir), "Name three rivers.", "film") == "positive"


def test_a_completion_behind_a_space_is_predicted(tmp_path: Path, python: Callable[..., Any]) -> None:
    rows = [{"prompt": f"review: {text}\nsentiment: ", "completion": answer} for text, answer in PAIRS.items()]
    result = trained(tmp_path, rows, None)
    found = predict(result.output_dir, [row["prompt"] for row in rows])
    assert [answer["generated_text"] for answer in found] == list(PAIRS.values())
    written = as_the_card_writes(python, Path(result.output_dir), '"Once upon a time"', repr(rows[1]["prompt"]))
    assert written == "positive"


def test_an_empty_prediction_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"prompt": question, "completion": "</s>"} for question in PAIRS]
    result = trained(tmp_path, rows, None)
    (answer,) = predict(result.output_dir, ["dog"])
    assert answer == {"prompt": "dog", "generated_text": ""}
    assert "input 1: the model generates no text; its first token ends the answer" in caplog.text
