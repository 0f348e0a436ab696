"""A run of adapt gives the very losses and metrics of a hand-written Trainer script."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plain.text_classification import train


@pytest.mark.parametrize("method", ["full", "last_layer"])
def test_losses_and_metrics_equal_a_plain_trainer_s(
    run: Callable[..., Any], tiny_encoder: Path, inbox: Path, tmp_path: Path, method: str
) -> None:
    expected = train(
        str(tiny_encoder),
        inbox,
        tmp_path / "plain",
        last_layer=method == "last_layer",
        epochs=2,
        lr=0.01,
        max_length=128,
        max_train=64,
        logging_steps=1,
    )
    alike = {"GROUP_BY_LENGTH": False, "MAX_EVAL_SAMPLES": None, "max_seq_length": 128}
    result = run(method=method, EPOCHS=2, LOGGING_STEPS=1, **alike)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines if line["phase"] == "train"] == pytest.approx(expected["losses"], abs=1e-6)
    assert result.metrics["before"] == pytest.approx(expected["before"], abs=1e-6)
    assert result.metrics["after"] == pytest.approx(expected["after"], abs=1e-6)
