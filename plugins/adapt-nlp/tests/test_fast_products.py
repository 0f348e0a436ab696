"""FAST_PRODUCTS: the same run and the same predictions, its matrices multiplied by oneDNN."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from adapt_core import api
from adapt_core.nn import products

Keys = dict[str, Any]
Returned = TypeVar("Returned")

pytestmark = pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and hasattr(torch.library, "get_kernel")),
    reason="this torch has no oneDNN, or its kernels cannot be replaced",
)


def watched(work: Callable[[], Returned]) -> tuple[Returned, int]:
    """Return what a call returns, and how many products oneDNN computed in it."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        returned = work()
    return returned, sum(event.count for event in seen.key_averages() if event.key == "mkldnn::_linear_pointwise")


def test_a_run_and_its_predictions_are_the_same(monkeypatch: pytest.MonkeyPatch, keys: Keys) -> None:
    monkeypatch.setattr(products, "has_slow_products", lambda: True)
    texts = [f"The ship with {number} sails came home. " * 30 for number in range(16)]
    losses, found = [], []
    for fast in (True, False):
        few = {"MAX_TRAIN_SAMPLES": 64, "MAX_EVAL_SAMPLES": 32, "BATCH_SIZE": 16, "EPOCHS": 1, "LOGGING_STEPS": 1}
        given = {**keys, **few, "OVERWRITE_OUTPUT_DIR": True, "FAST_PRODUCTS": fast}
        result, in_training = watched(lambda given=given: api.run(given))
        answers, in_prediction = watched(lambda result=result: api.predict(result, texts))
        assert (in_training > 0, in_prediction > 0) == (fast, fast)
        lines = (Path(result.output_dir) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        losses.append([line["loss"] for line in map(json.loads, lines) if line["phase"] != "test"])
        found.append([next(value for value in answer.values() if isinstance(value, float)) for answer in answers])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert found[0] == pytest.approx(found[1], rel=1e-5)
