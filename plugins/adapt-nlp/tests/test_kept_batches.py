"""Evaluations before training and during it share their batches: they are collated once, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adapt_core.hf.frozen.rows import NumberedBatches
from adapt_core.hf.loop.kept_batches import KeptBatches
from adapt_core.testing import small_models

from .seq2seq_models import write
from .test_uneven_batches import text

Run = Callable[..., Any]
TRAINING, VALIDATION = 4, 2  # batches


@pytest.fixture
def dropped(tmp_path_factory: pytest.TempPathFactory, inbox_texts: list[str]) -> Path:
    """A small BERT with dropout: what it draws shows in its weights."""
    return small_models.bert(tmp_path_factory.mktemp("bert"), inbox_texts, hidden_dropout_prob=0.3)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each call of a run's collator."""
    collate, found = NumberedBatches.__call__, list[int]()

    def counted(self: NumberedBatches, examples: list[Any]) -> Any:
        found.append(len(examples))
        return collate(self, examples)

    monkeypatch.setattr(NumberedBatches, "__call__", counted)
    return found


def told(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if "second" not in key and key != "time"} for line in lines]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


@pytest.mark.parametrize("interval", ["epoch", "no"])
def test_three_evaluations_collate_once_with_the_metrics_and_weights_of_three(
    run: Run, dropped: Path, tmp_path: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch, interval: str
) -> None:
    keys = {"MODEL_PATH": str(dropped), "EPOCHS": 2, "LOGGING_STEPS": 1, "BATCH_SIZE": 16, "INTERVAL": interval}
    evaluations = 3 if interval == "epoch" else 2
    run(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    assert len(calls) == 2 * TRAINING + VALIDATION + 1  # the first batch once more, to compare
    calls.clear()
    monkeypatch.setattr(KeptBatches, "keep", lambda *_: None)
    run(**keys, OUTPUT_DIR=str(tmp_path / "each"))
    assert len(calls) == 2 * TRAINING + evaluations * VALIDATION
    assert told(tmp_path / "once") == told(tmp_path / "each")
    once, each = weights(tmp_path / "once"), weights(tmp_path / "each")
    assert all(torch.equal(once[name], each[name]) for name in each)


@pytest.mark.slow
def test_a_resumed_run_ends_as_an_uninterrupted_one(run: Run, dropped: Path, tmp_path: Path) -> None:
    """Its first evaluation makes the batches that the uninterrupted run has kept."""
    from adapt_core.errors import InterruptedRunError

    keys = {"MODEL_PATH": str(dropped), "EPOCHS": 3, "INTERVAL": "epoch"}
    run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    with pytest.raises(InterruptedRunError):
        run(**keys, STOP_AFTER="5 steps", OUTPUT_DIR=str(tmp_path / "stopped"))
    run(resume=True, **keys, OUTPUT_DIR=str(tmp_path / "stopped"))
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
def test_each_of_several_data_sets_keeps_its_batches(
    run: Run, tmp_path: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, start in (("one", 0), ("two", 20)):
        rows = [text(number) for number in range(start, start + 12)]
        write(tmp_path / name, train=rows, validation=rows[:7])
    places = [str(tmp_path / "one"), str(tmp_path / "two")]
    keys = {"CUSTOM_DATASET_PATH": places, "BATCH_SIZE": 4, "EPOCHS": 2, "INTERVAL": "epoch"}
    once = run(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    training, of_a_set = 2 * 6, 2
    assert len(calls) == training + 2 * (of_a_set + 1)
    calls.clear()
    monkeypatch.setattr(KeptBatches, "keep", lambda *_: None)
    each = run(**keys, OUTPUT_DIR=str(tmp_path / "each"))
    assert len(calls) == training + 3 * 2 * of_a_set
    assert once.metrics == each.metrics
