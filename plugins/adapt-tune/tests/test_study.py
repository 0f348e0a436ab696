"""What the study of a search records."""

from __future__ import annotations

import warnings
from pathlib import Path

import attrs

from adapt_tune.study import TrialRun, Trials


def test_a_trial_that_runs_twice_on_a_rung_has_its_last_run_there_without_a_warning(tmp_path: Path) -> None:
    trials = Trials.open(tmp_path, 0, {})
    trials.propose([])
    short = TrialRun(trial=0, rung=0, folder="trial-0", settings={}, value=0.2, score=0.2)
    again = attrs.evolve(short, folder="trial-0-again", value=0.5, score=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        trials.add(short)
        trials.add(again)
    assert trials.of_rung(0) == [again]
    assert list(trials.runs()) == [short, again]
