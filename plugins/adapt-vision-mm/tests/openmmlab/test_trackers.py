"""TRACKERS in the loop of mmengine: by the same observer as in every loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard")


def test_a_tracker_takes_the_figures_of_a_detector(run: Callable[..., Any], tmp_path: Path) -> None:
    result = run(TRACKERS=["tensorboard"], LOGGING_STEPS=1)
    [file] = (tmp_path / "run" / "tensorboard").iterdir()
    kept = accumulator.EventAccumulator(str(file)).Reload()
    assert [one.step for one in kept.Scalars("train/loss")] == list(range(1, result.steps + 1))
    after = {name: value for name, value in result.metrics["after"].items() if value is not None}
    assert len(after) > 2
    assert {name: kept.Scalars(f"eval/{name}")[-1].value for name in after} == pytest.approx(after)
