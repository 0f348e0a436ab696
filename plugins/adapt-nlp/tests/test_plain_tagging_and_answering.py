"""Runs of ner, chunk, pos and question answering give the losses and metrics of hand-written Trainer scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from benchmarks.plain import question_answering, token_classification

from .question_answering import test_question_answering as answering
from .token_classification import test_token_classification as tagging


def losses_of(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


def common(model: Path, data: Path, folder: Path) -> dict[str, Any]:
    return {
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(data),
        "OUTPUT_DIR": str(folder),
        "EPOCHS": 2,
        "LR": 1e-2,
        "BATCH_SIZE": 8,
        "NUM_WORKERS": 0,
        "LOGGING_STEPS": 1,
    }


def uneven(count: int, column: str) -> list[dict[str, Any]]:
    """Rows of 3 to 8 words, so that batches have unequal numbers of them."""
    rows = enumerate(tagging.rows(count, column))
    return [{name: words[: 3 + number % 6] for name, words in row.items()} for number, row in rows]


@pytest.mark.parametrize("subtask", ["ner", "pos"])
def test_tags_equal_a_plain_trainer_s(tmp_path: Path, tiny_encoder: Path, subtask: str) -> None:
    column = f"{subtask}_tags"
    data = tagging.write(tmp_path / "data", uneven(40, column), uneven(12, column))
    expected = token_classification.train(
        str(tiny_encoder), data, tmp_path / "plain", column=column, epochs=2, lr=1e-2, batch_size=8, logging_steps=1
    )
    keys = {
        "TASK": "text_classification",
        "subtask": subtask,
        "GROUP_BY_LENGTH": False,
        **common(tiny_encoder, data, tmp_path / "run"),
    }
    result = adapt_core.run(keys)
    assert losses_of(tmp_path / "run") == pytest.approx(expected["losses"], abs=1e-5)
    assert result.metrics["before"] == pytest.approx(expected["before"], abs=1e-5)
    assert result.metrics["after"] == pytest.approx(expected["after"], abs=1e-5)


def test_answers_equal_a_plain_trainer_s_though_evaluation_goes_by_length(tmp_path: Path, tiny_encoder: Path) -> None:
    data = answering.write(
        tmp_path / "data",
        [answering.row(number, filler=number % 6) for number in range(40)],
        [answering.row(number, filler=number % 7) for number in range(20)],
    )
    expected = question_answering.train(
        str(tiny_encoder),
        data,
        tmp_path / "plain",
        epochs=2,
        lr=1e-2,
        max_length=64,
        doc_stride=16,
        batch_size=8,
        logging_steps=1,
    )
    keys = {"TASK": "question_answering", "max_length": 64, "doc_stride": 16}
    result = adapt_core.run({**keys, **common(tiny_encoder, data, tmp_path / "run")})
    assert losses_of(tmp_path / "run") == pytest.approx(expected["losses"], abs=1e-5)
    for phase in ("before", "after"):
        for metric in ("loss", "f1", "exact_match"):
            assert result.metrics[phase][metric] == pytest.approx(expected[phase][metric], abs=1e-5)
    assert expected["after"]["f1"] > expected["before"]["f1"]
