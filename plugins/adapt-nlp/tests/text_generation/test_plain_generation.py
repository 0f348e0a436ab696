"""A run of text_generation gives the very losses and metrics of a hand-written Trainer script, packed or padded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import adapt_core
from benchmarks.plain.text_generation import train


@pytest.mark.parametrize(
    ("packing", "smoothing"),
    [(True, 0.0), (False, 0.0), (True, 0.2), (False, 0.2)],
    ids=["packed", "padded", "packed, smoothed labels", "padded, smoothed labels"],
)
def test_losses_and_metrics_equal_a_plain_trainer_s(
    tiny_llama: Path, inbox: Path, tmp_path: Path, packing: bool, smoothing: float
) -> None:
    expected = train(
        str(tiny_llama),
        inbox,
        tmp_path / "plain",
        packing=packing,
        epochs=2,
        lr=0.01,
        max_length=64,
        batch_size=8,
        max_train=64,
        max_eval=32,
        logging_steps=1,
        label_smoothing=smoothing,
    )
    result = adapt_core.run(
        {
            "TASK": "text_generation",
            "MODEL_PATH": str(tiny_llama),
            "CUSTOM_DATASET_PATH": str(inbox),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "packing": packing,
            "LABEL_SMOOTHING": smoothing,
            "max_seq_length": 64,
            "EPOCHS": 2,
            "LR": 0.01,
            "BATCH_SIZE": 8,
            "MAX_TRAIN_SAMPLES": 64,
            "MAX_EVAL_SAMPLES": 32,
            "LOGGING_STEPS": 1,
            "NUM_WORKERS": 0,
        }
    )
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines if line["phase"] == "train"] == pytest.approx(expected["losses"], abs=1e-5)
    assert result.metrics["before"] == pytest.approx(expected["before"], rel=1e-5)
    assert result.metrics["after"] == pytest.approx(expected["after"], rel=1e-5)
