"""How the time of a search is shared out."""

from __future__ import annotations

import itertools

import pytest

from adapt_tune.halving import (
    FACTOR,
    LEAST_SECONDS,
    LEAST_STEPS,
    OVERHEADS,
    WANTED,
    final_seconds,
    first_seconds,
    fitting_rungs,
    rungs,
)


@pytest.mark.parametrize("seconds", [30.0, 90.0, 360.0, 3600.0])
@pytest.mark.parametrize("overhead", [0.5, 5.0, 40.0])
def test_the_runs_of_all_rungs_take_the_time_and_no_more(seconds: float, overhead: float) -> None:
    found = rungs(seconds, overhead, 27)
    assert sum(rung.trials * rung.seconds for rung in found) == pytest.approx(seconds)


def test_a_third_goes_on_with_three_times_the_time() -> None:
    found = rungs(3600, 1, 27)
    assert [rung.trials for rung in found] == [27, 9, 3]
    for rung, following in itertools.pairwise(found):
        assert following.seconds == pytest.approx(FACTOR * rung.seconds)


def test_runs_that_take_long_beside_training_are_fewer() -> None:
    quick, slow = rungs(360, 1, 27), rungs(360, 10, 27)
    assert quick[0].trials > slow[0].trials > 1
    assert slow[0].seconds >= OVERHEADS * 10


@pytest.mark.parametrize("most", range(2, 28))
def test_the_last_rung_compares_two_settings_or_three(most: int) -> None:
    found = rungs(36_000, 0, most)
    assert 2 <= found[-1].trials < 2 * FACTOR
    assert all(rung.seconds > LEAST_SECONDS for rung in found)


def test_a_trial_has_time_for_steps_enough() -> None:
    quick, slow = rungs(360, 1, 27, training=5), rungs(360, 1, 27, training=60)
    assert quick[0].trials > slow[0].trials
    assert slow[0].seconds >= 61


def test_where_nothing_fits_one_setting_has_all_the_time() -> None:
    assert [(rung.trials, rung.seconds) for rung in rungs(20, 30, 27)] == [(1, 20)]


def test_no_more_settings_than_asked_for() -> None:
    assert rungs(36_000, 1, 5)[0].trials == 5


@pytest.mark.parametrize(("budget", "first"), [(60, 6), (200, 20), (600, 40), (3600, 144)])
def test_the_first_trial_has_a_small_share(budget: float, first: float) -> None:
    assert first_seconds(budget) == pytest.approx(first)


def test_trials_have_the_steps_that_leave_time_for_three() -> None:
    def least(step: float) -> tuple[int, float]:
        first = fitting_rungs(360, 10, 27, step, 1000)[0]
        return first.trials, (first.seconds - 10) / step

    assert least(0.1)[1] >= LEAST_STEPS[0]
    assert least(0.5) >= (WANTED, LEAST_STEPS[0])
    trials, steps = least(1.5)
    assert trials == WANTED
    assert LEAST_STEPS[1] <= steps < LEAST_STEPS[0]
    few = fitting_rungs(360, 10, 27, 2.0, 1)[0]  # one planned step
    assert few.trials > fitting_rungs(360, 10, 27, 2.0, 1000)[0].trials


@pytest.mark.parametrize(("whole", "kept"), [(30.0, 270.0), (400.0, 400.0), (5000.0, 600.0)])
def test_the_final_run_has_time_for_the_config_as_it_stands(whole: float, kept: float) -> None:
    assert final_seconds(600.0, whole) == kept
