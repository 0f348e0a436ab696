"""A loss of one batch that is not finite is told, never left out or taken for 0.

transformers (5.24.0) logs a training loss that is NaN as 0.0, or as the one before it, and evaluation leaves it out of
the mean: losses of 1, NaN and 4 give 2.5.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import adapt_core
from adapt_core.errors import InputError

from .seq2seq_models import write
from .test_uneven_batches import JOBS

STRANGE = "\u00a7"
ENCODERS = ["text", "class weights", "ner", "answers"]


@pytest.fixture
def poisoned(tiny_encoder: Path, tmp_path: Path) -> Path:
    """The small encoder, for which every text with a paragraph sign has no finite logits."""
    from transformers import AutoTokenizer

    folder = tmp_path / "poisoned"
    shutil.copytree(tiny_encoder, folder)
    token = AutoTokenizer.from_pretrained(folder)(STRANGE, add_special_tokens=False)["input_ids"][-1]
    weights = load_file(folder / "model.safetensors")
    [name] = [name for name in weights if name.endswith("word_embeddings.weight")]
    weights[name][token] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def strange(row: dict[str, Any]) -> dict[str, Any]:
    """The row with a paragraph sign in its text."""
    if "tokens" in row:
        return {"tokens": [*row["tokens"], STRANGE], "ner_tags": [*row["ner_tags"], "O"]}
    column = "context" if "context" in row else "text"
    return {**row, column: f"{row[column]} {STRANGE}"}


@pytest.fixture(params=ENCODERS)
def run(request: pytest.FixtureRequest, poisoned: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs a job on nine training and six validation rows, with a strange one as the fifth of either split."""
    _, row, keys = JOBS[request.param]

    def start(*, in_train: bool, in_validation: bool, **changes: Any) -> Any:
        train, validation = [row(number) for number in range(9)], [row(number) for number in range(20, 26)]
        if in_train:
            train[4] = strange(train[4])
        if in_validation:
            validation[4] = strange(validation[4])
        common = {
            "MODEL_PATH": str(poisoned),
            "CUSTOM_DATASET_PATH": str(write(tmp_path / "data", train=train, validation=validation)),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "NUM_WORKERS": 0,
            "SAVE_METHOD": "safetensors",
        }
        return adapt_core.run({**common, **keys, **changes})

    return start


def strict(text: str) -> Any:
    """The content of a JSON text; NaN and Infinity are no JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("size", [1, 2])
def test_an_evaluation_with_one_batch_that_is_not_finite_is_not_finite(
    run: Callable[..., Any], tmp_path: Path, size: int
) -> None:
    result = run(in_train=False, in_validation=True, DO_TRAIN=False, EVAL_BATCH_SIZE=size)
    assert math.isnan(result.metrics["before"]["loss"])
    told = [warning for warning in result.warnings if "before training: loss is not finite" in warning]
    assert len(told) == 1
    folder = tmp_path / "run"
    [line] = [strict(text) for text in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (line["phase"], line["loss"]) == ("before", None)
    written = strict((folder / "result.json").read_text(encoding="utf-8"))
    assert written["metrics"]["before"]["loss"] is None
    assert written["warnings"] == list(result.warnings)
    strict((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert "loss is not finite" in (folder / "report.html").read_text(encoding="utf-8")
    assert "loss is not finite" in (folder / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("parts", [1, 4])
def test_a_training_loss_that_is_not_finite_ends_training_and_names_the_row(
    run: Callable[..., Any], tmp_path: Path, parts: int
) -> None:
    often = {"BATCH_SIZE": 1, "GRADIENT_ACCUMULATION_STEPS": parts, "LOGGING_STEPS": 1, "DO_EVAL": False, "EPOCHS": 1}
    with pytest.raises(InputError, match=r"the training loss is not finite at step \d+, in training rows") as caught:
        run(in_train=True, in_validation=False, **often)
    rows = str(caught.value).partition("training rows ")[2].partition(":")[0]
    assert "5" in rows.replace(" ", "").split(",")
    lines = [strict(text) for text in (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(line["loss"] > 0 for line in lines if line["phase"] == "train"), "no loss of 0.0 stands for it"
