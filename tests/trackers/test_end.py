"""Trackers end with their run, and decide nothing about it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from adapt_core.contracts.tracker import TrackedRun
from adapt_core.plugin import TrackerSpec
from adapt_core.runtime.recorder import TRACKER
from adapt_core.trackers import end_trackers
from adapt_core.trackers.observer import TrackerObserver

from .. import fakes
from ..report.test_page import plan


class ExitsAtItsEnd:
    """A tracker that ends the process, as libraries do that find no server."""

    def start(self, run: TrackedRun) -> None:
        """Start nothing."""

    def log(self, figures: object, step: int) -> None:
        """Take nothing."""

    def finish(self) -> None:
        """End the process."""
        raise SystemExit("no server")


def test_a_tracker_that_exits_when_a_run_was_interrupted_hides_no_outcome(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = fakes.registry()
    spec = TrackerSpec(name="exits", summary="Exits.", implementation=f"{__name__}:ExitsAtItsEnd")
    observer = TrackerObserver("exits", spec, plan(tmp_path, method="LoRA"), tmp_path / "trackers" / "exits")
    registry.manager.register(observer, f"{TRACKER}exits")
    observer.adapt_metrics("train", 1, {"loss": 1.0})
    with caplog.at_level(logging.WARNING):
        end_trackers(registry)
    assert "the tracker exits failed at its end: no server" in caplog.text
    assert not registry.manager.has_plugin(f"{TRACKER}exits")
