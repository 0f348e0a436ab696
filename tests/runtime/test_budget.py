"""The steps that fit into a time, by a clock that the test moves."""

from __future__ import annotations

import pytest

from adapt_core.runtime.budget import Ahead, Budget


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def train(budget: Budget, clock: Clock, seconds: float, pause: float = 0.0, every: int = 0) -> tuple[int, int]:
    """Train with steps of so many seconds; return the steps done and those that were fitted at the fifth."""
    step = at_fifth = 0
    steps = budget.steps
    while step < steps:
        clock.now += seconds
        step += 1
        steps = budget.stepped(step)
        at_fifth = steps if step == 5 else at_fifth
        if every and step % every == 0:
            clock.now += pause
            budget.paused()
    return step, at_fifth


def test_the_steps_that_fit_are_trained_and_no_more() -> None:
    clock = Clock()
    budget = Budget(100, 0.0, clock=clock)
    budget.begin(Ahead(steps=10_000))
    done, fitted = train(budget, clock, 0.5)
    assert fitted == done  # the steps take equally long: the first fit is the last
    assert 185 <= done <= 200  # a second for finishing, two for what is not forecast
    assert clock.now <= 100


def test_a_run_that_has_time_trains_what_its_config_says() -> None:
    clock = Clock()
    budget = Budget(100, 0.0, clock=clock)
    budget.begin(Ahead(steps=30))
    assert train(budget, clock, 0.5) == (30, 30)


def test_what_took_time_before_training_is_not_there_for_steps() -> None:
    early, late = Clock(), Clock()
    late.now = 50.0
    done = []
    for clock in (early, late):
        budget = Budget(100, 0.0, clock=clock)
        budget.begin(Ahead(steps=10_000))
        done.append(train(budget, clock, 0.5)[0])
    assert done[0] - done[1] == 100


def test_evaluations_to_come_and_saving_are_forecast_from_what_was_measured() -> None:
    clock = Clock()
    budget = Budget(100, 0.0, clock=clock)

    def evaluate() -> str:
        clock.now += 10
        return "found"

    assert budget.evaluation(evaluate) == "found"
    budget.begin(Ahead(steps=10_000, steps_each=20, evaluations=1, model_bytes=100_000_000))
    done, _ = train(budget, clock, 0.5, pause=10, every=20)
    left = 100 - clock.now
    assert left >= 10  # for the evaluation of the trained model, and the files of 100 MB
    assert done < 80


def test_an_evaluation_that_was_not_measured_is_guessed_from_the_rows() -> None:
    clock = Clock()
    budget = Budget(100, 0.0, clock=clock)
    budget.begin(Ahead(steps=10_000, evaluations=1, rows_each=100))
    done, _ = train(budget, clock, 0.5)
    assert 100 - clock.now >= 0.5 * 100 / 2
    assert done > 100


def test_a_machine_that_becomes_slower_gets_fewer_steps_and_stays_in_the_time() -> None:
    clock = Clock()
    budget = Budget(100, 0.0, clock=clock)
    budget.begin(Ahead(steps=10_000))
    steps, step = budget.steps, 0
    while step < steps:
        clock.now += 0.2 if step < 100 else 1.0
        step += 1
        steps = budget.stepped(step)
    assert clock.now <= 100
    assert 150 <= step <= 180


def test_a_run_without_time_left_ends_with_its_first_step() -> None:
    clock = Clock()
    budget = Budget(10, 0.0, clock=clock)
    budget.begin(Ahead(steps=100))
    clock.now = 30
    assert budget.stepped(1) == 1


def test_the_schedule_ends_with_the_fitted_steps() -> None:
    clock = Clock()
    budget = Budget(100, 0.0, clock=clock)
    budget.begin(Ahead(steps=1000))
    assert budget.position(7) == 7  # nothing is fitted yet
    done, _ = train(budget, clock, 0.5)
    assert budget.position(done) == pytest.approx(1000)
    assert budget.position(done / 2) == pytest.approx(500)


def test_a_resumed_run_keeps_the_steps_that_were_fitted() -> None:
    clock = Clock()
    budget = Budget(100, 0.0, clock=clock)
    budget.hold(40)
    assert budget.begin(Ahead(steps=1000, done=10)) == 40
    clock.now = 1e6
    assert budget.stepped(11) == 40
    assert budget.position(20) == 500


def test_runs_of_one_process_share_what_they_measured() -> None:
    clock = Clock()
    first = Budget(100, 0.0, "a model on data", clock=clock)
    first.trained()
    clock.now += 7
    first.finished()
    assert Budget(100, 0.0, "a model on data", clock=clock).pieces.finishing == 7
    assert Budget(100, 0.0, "another model on data", clock=clock).pieces.finishing is None


def test_without_a_bound_nothing_is_cut() -> None:
    budget = Budget()
    assert not budget.is_bounded
    assert budget.begin(Ahead(steps=12)) == 12
    assert budget.stepped(1) == 12


def test_processes_agree_on_the_least() -> None:
    clock = Clock()
    budget = Budget(100, 0.0, clock=clock, agree=lambda steps: min(steps, 17))
    budget.begin(Ahead(steps=1000))
    assert train(budget, clock, 0.1)[0] == 17
