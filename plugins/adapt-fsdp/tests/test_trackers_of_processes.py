"""A tracker of a run of several processes: rank 0 has it, and it sees one run."""

from __future__ import annotations

from pathlib import Path

import pytest

import adapt_core

from . import jobs

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard")


def test_two_processes_are_one_run_of_a_tracker(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = {**jobs.in_two_processes(tiny_encoder, inbox, tmp_path), "TRACKERS": ["tensorboard"], "LOGGING_STEPS": 1}
    result = adapt_core.run(keys)
    [file] = (tmp_path / "run" / "tensorboard").iterdir()
    kept = accumulator.EventAccumulator(str(file)).Reload()
    assert [one.step for one in kept.Scalars("train/loss")] == list(range(1, result.steps + 1))
    assert kept.Scalars("eval/accuracy")[-1].value == pytest.approx(result.metrics["after"]["accuracy"])
