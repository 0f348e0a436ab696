"""LABEL_SMOOTHING is in the loss of training steps, and not in that of evaluations."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from adapt_core.errors import InputError
from adapt_core.hf.loop.losses import weighted_cross_entropy


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0]])
def test_the_loss_is_torch_s_own_with_gradients_and_the_plain_one_without(weights: list[float] | None) -> None:
    logits, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1, 1])
    table = None if weights is None else torch.tensor(weights)
    loss = partial(weighted_cross_entropy(weights), smoothing=0.2)
    smoothed = cross_entropy(logits, labels, weight=table, label_smoothing=0.2)
    torch.testing.assert_close(loss({"logits": logits}, labels), smoothed)
    with torch.no_grad():
        torch.testing.assert_close(loss({"logits": logits}, labels), cross_entropy(logits, labels, weight=table))


def first_loss(folder: Path) -> float:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return next(float(line["loss"]) for line in lines if line["phase"] == "train")


@pytest.mark.parametrize("weights", [None, "balanced"])
def test_a_run_trains_with_it_and_is_measured_without(
    run: Callable[..., Any], tmp_path: Path, weights: str | None
) -> None:
    keys = {"LOGGING_STEPS": 1, "MAX_STEPS": 2, "CLASS_WEIGHTS": weights}
    plain = run(**keys)
    smoothed = run(**keys, LABEL_SMOOTHING=0.5, OUTPUT_DIR=str(tmp_path / "smoothed"))
    assert smoothed.metrics["before"] == plain.metrics["before"]
    assert first_loss(tmp_path / "smoothed") != pytest.approx(first_loss(tmp_path / "run"), abs=1e-6)
    assert smoothed.metrics["after"]["loss"] != pytest.approx(plain.metrics["after"]["loss"], abs=1e-7)


def test_rows_with_several_labels_have_no_smoothing(run: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="LABEL_SMOOTHING is of one label"):
        run(LABEL_SMOOTHING=0.1, problem_type="multi_label")
    with pytest.raises(InputError, match="LABEL_SMOOTHING is for labels"):
        run(LABEL_SMOOTHING=0.1, subtask="ner")
