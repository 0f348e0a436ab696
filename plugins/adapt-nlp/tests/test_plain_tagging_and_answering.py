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


@pytest.mark.parametrize("subtask", ["ner", "pos"])
def test_tags_equal_a_plain_trainer_s(tmp_path: Path, tiny_encoder: Path, subtask: str) -> None:
    column = f"{subtask}_tags"
    data = tagging.write(tmp_path / "data", tagging.rows(40, column), tagging.rows(12, column))
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
    """Training rows are of one length: a model's own loss, unlike adapt's, counts the padding of a batch."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    by_length: dict[int, list[int]] = {}
    for number, name in enumerate(answering.NAMES):
        by_length.setdefault(len(tokenizer.tokenize(name)), []).append(number)
    alike = max(by_length.values(), key=len)
    assert len(alike) > 1
    data = answering.write(
        tmp_path / "data",
        [answering.row(alike[number % len(alike)], filler=4) for number in range(40)],
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
        for metric in ("f1", "exact_match"):
            assert result.metrics[phase][metric] == pytest.approx(expected[phase][metric], abs=1e-5)
    assert expected["after"]["f1"] > expected["before"]["f1"]
