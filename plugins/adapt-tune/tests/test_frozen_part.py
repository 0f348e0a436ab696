"""Trials of last_layer share what the frozen part of the model computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .test_search import SPACE
from .test_search import search as search
from adapt_tune.study import TrialRun, Trials


def test_trials_of_last_layer_compute_the_frozen_part_once(
    search: Callable[..., tuple[Trials, TrialRun]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For the training rows and for the validation rows; every later run finds both in the cache."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    trials, best = search(method="last_layer", TUNE={"LR": SPACE["LR"]}, TUNE_TRIALS=2, EPOCHS=3)
    folders = {run.folder for run in trials.runs()}
    assert {"trial-0", "trial-1", best.folder} <= folders
    logs = {name: (tmp_path / "search" / name / "log.txt").read_text(encoding="utf-8") for name in folders}
    computed = {name: log.count("the frozen part: computed once") for name, log in logs.items()}
    assert {name: count for name, count in computed.items() if count} == {"trial-0": 2}
    assert all(logs[name].count("rows: from the cache") == 2 for name in folders - {"trial-0"})
