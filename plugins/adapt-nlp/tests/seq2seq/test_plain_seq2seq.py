"""A translation run of adapt gives the very losses and metrics of a hand-written Seq2SeqTrainer script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import adapt_core
from benchmarks.plain.seq2seq import train

from ..seq2seq_models import translations, write


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_and_metrics_equal_a_plain_trainer_s(tiny_bart: Path, tmp_path: Path, smoothing: float) -> None:
    data = write(tmp_path / "data", train=translations(160), validation=translations(20, 500))
    expected = train(
        str(tiny_bart),
        data,
        tmp_path / "plain",
        epochs=2,
        lr=1e-2,
        prefix="translate: ",
        max_target_length=24,
        logging_steps=1,
        label_smoothing=smoothing,
    )
    keys = {
        "TASK": "translation",
        "MODEL_PATH": str(tiny_bart),
        "CUSTOM_DATASET_PATH": str(data),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "EPOCHS": 2,
        "LR": 1e-2,
        "LOGGING_STEPS": 1,
        "NUM_WORKERS": 0,
        "OPTIMIZER": "adamw_torch",
        "PREFIX": "translate: ",
        "eval_metric": "sacrebleu",
        "max_target_length": 24,
        "LABEL_SMOOTHING": smoothing,
    }
    result = adapt_core.run(keys)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines if line["phase"] == "train"] == pytest.approx(expected["losses"], abs=1e-5)
    for phase in ("before", "after"):
        # transformers smooths the loss of evaluations too, which is then that of another task.
        for name in ("sacrebleu",) if smoothing else ("loss", "sacrebleu"):
            assert result.metrics[phase][name] == pytest.approx(expected[phase][name], abs=1e-5)
