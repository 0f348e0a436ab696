"""Rows of uneven length: an update and an evaluation's loss do not depend on the batches that rows come in.

A model's loss is a mean over one batch. The mean over a step or a split is over its tokens (or rows, or windows).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import adapt_core

from .question_answering.test_question_answering import row as question
from .seq2seq_models import write

WORDS = ["please", "send", "the", "report", "today", "server", "is", "down", "now"]
Rows = Callable[[int], dict[str, Any]]


def words(number: int) -> list[str]:
    """One to nine words, of no pattern that batches of two or eight would hide."""
    dice = random.Random(number)
    return [dice.choice(WORDS) for _ in range(dice.randint(1, 9))]


def text(number: int) -> dict[str, Any]:
    return {"text": " ".join(words(number)), "label": ("work", "home", "other")[number % 3]}


def tagged(number: int) -> dict[str, Any]:
    tokens = words(number)
    return {"tokens": tokens, "ner_tags": ["B-X" if word in ("report", "server") else "O" for word in tokens]}


def translated(number: int) -> dict[str, Any]:
    return {"translation": {"en": " ".join(words(number + 100)), "ro": " ".join(words(number))}}


def summarized(number: int) -> dict[str, Any]:
    return {"document": " ".join(words(number + 100)), "summary": " ".join(words(number))}


TRANSLATION = {"TASK": "translation", "source_lang": "en", "target_lang": "ro"}
LIMITS = {"max_input_length": 64, "max_target_length": 64}
GREEDY = {"predict_with_generate": False, "generation_max_length": 8}  # for the report's samples alone
JOBS: dict[str, tuple[str, Rows, dict[str, Any]]] = {
    "text": ("tiny_encoder", text, {"TASK": "text_classification"}),
    "class weights": (
        "tiny_encoder",
        text,
        {"TASK": "text_classification", "CLASS_WEIGHTS": {"work": 3, "home": 0.5, "other": 1}},
    ),
    "ner": ("tiny_encoder", tagged, {"TASK": "text_classification", "subtask": "ner"}),
    "answers": (
        "tiny_encoder",
        lambda number: question(number, len(words(number))),
        {"TASK": "question_answering", "max_length": 40, "doc_stride": 8},
    ),
    "translation, T5": ("tiny_t5", translated, {**TRANSLATION, **GREEDY}),
    "translation, BART": ("tiny_bart", translated, {**TRANSLATION, **GREEDY}),
    "summarization, BERT2BERT": ("tiny_bert2bert", summarized, {"TASK": "summarization", **LIMITS, **GREEDY}),
    "text generation, padded": ("tiny_llama", text, {"TASK": "text_generation", "packing": False}),
}


@pytest.fixture(params=JOBS)
def trained(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """The result of a run of plain gradient descent, the last step on fewer rows than the others."""
    model, row, keys = JOBS[request.param]
    data = write(tmp_path / "data", train=[row(n) for n in range(13)], validation=[row(n) for n in range(20, 33)])
    common = {
        "MODEL_PATH": str(request.getfixturevalue(model)),
        "CUSTOM_DATASET_PATH": str(data),
        "OPTIMIZER": "sgd",
        "LR": 0.1,
        "SCHEDULER_TYPE": "constant",
        "MAX_GRAD_NORM": 0,
        "GROUP_BY_LENGTH": False,
        "EPOCHS": 1,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
    }
    count = iter(range(9))

    def run(**changes: Any) -> Any:
        return adapt_core.run({**common, **keys, **changes, "OUTPUT_DIR": str(tmp_path / f"run-{next(count)}")})

    return run


def weights(result: Any) -> dict[str, torch.Tensor]:
    return load_file(Path(result.output_dir) / "model" / "model.safetensors")


def test_accumulated_batches_update_as_one_large_batch(trained: Callable[..., Any]) -> None:
    whole = trained(BATCH_SIZE=8, DO_EVAL=False)
    parts = trained(BATCH_SIZE=2, GRADIENT_ACCUMULATION_STEPS=4, DO_EVAL=False)
    assert whole.steps == parts.steps
    one, other = weights(whole), weights(parts)
    assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-6


def test_the_loss_of_an_evaluation_does_not_depend_on_its_batches(trained: Callable[..., Any]) -> None:
    alone, together = (trained(BATCH_SIZE=8, EVAL_BATCH_SIZE=size, MAX_STEPS=1).metrics["after"] for size in (1, 8))
    assert alone["loss"] == pytest.approx(together["loss"], rel=1e-6)
