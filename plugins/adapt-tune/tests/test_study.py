"""What the study of a search records."""

from __future__ import annotations

import warnings
from pathlib import Path

import attrs

from adapt_tune.study import TrialRun, Trials, ranked


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


def test_the_loss_decides_between_scores_that_the_rows_cannot_tell_apart() -> None:
    run = TrialRun(trial=0, rung=0, folder="", settings={})

    def reached(trial: int, score: float | None, loss: float | None, margin: float = 0.12) -> TrialRun:
        return attrs.evolve(run, trial=trial, score=score, value=score, loss=loss, margin=margin)

    runs = [
        reached(0, 0.80, 0.9),
        reached(1, 0.82, 0.7),
        reached(2, 0.83, 0.8),
        reached(3, 0.5, 0.1),
        reached(4, None, None),
    ]
    assert [one.trial for one in ranked(runs)] == [1, 2, 0, 3, 4]
    certain = [attrs.evolve(one, margin=0.0) for one in runs]
    assert [one.trial for one in ranked(certain)] == [2, 1, 0, 3, 4]
    without = [attrs.evolve(one, loss=None) for one in runs]
    assert [one.trial for one in ranked(without)] == [2, 1, 0, 3, 4]
