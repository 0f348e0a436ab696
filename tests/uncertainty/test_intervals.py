"""95 % intervals of metrics from the rows of an evaluation."""

from __future__ import annotations

import random
from typing import Any

import attrs
import numpy
import pytest

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.uncertainty.intervals import BRIEF, WHOLE, _t_quantile, intervals, intervals_of
from adapt_core.uncertainty.resampling import LEAST, MOST, draws


def rows_of(values: Any, **fields: Any) -> EvaluatedRows:
    """Rows whose metric "mean" is that of the values."""
    found = numpy.asarray(values, dtype=float)
    empty = [""] * len(found)
    return EvaluatedRows(
        kind="class",
        rows=range(len(found)),
        expected=empty,
        predicted=empty,
        measure=lambda sample: {"mean": float(found[sample].mean())},
        **fields,
    )


def test_the_interval_of_a_mean_is_scipy_s_bca_interval() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = numpy.random.default_rng(3).exponential(size=200)
    low, high = intervals(rows_of(values), seed=1)["mean"]
    theirs = stats.bootstrap((values,), numpy.mean, method="BCa", n_resamples=5000, rng=numpy.random.default_rng(5))
    ends = theirs.confidence_interval
    width = ends.high - ends.low
    assert low == pytest.approx(ends.low, abs=0.06 * width)
    assert high == pytest.approx(ends.high, abs=0.06 * width)


def test_it_is_wider_where_there_are_fewer_rows() -> None:
    def width(count: int) -> float:
        low, high = intervals(rows_of(numpy.random.default_rng(0).random(count) < 0.87), seed=0)["mean"]
        return float(high - low)

    assert width(138) > 1.5 * width(600) > 0


def test_it_leans_to_the_side_where_the_metric_has_room() -> None:
    """Of 97 right rows in 100 the truth may lie further below than above."""
    low, high = intervals(rows_of([1.0] * 97 + [0.0] * 3), seed=0)["mean"]
    assert 0.97 - low > high - 0.97 > 0


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    rows = rows_of(numpy.random.default_rng(1).random(50))
    assert intervals(rows, seed=7) == intervals(rows, seed=7)
    assert intervals(rows, seed=7) != intervals(rows, seed=8)


def test_no_random_state_is_touched() -> None:
    before = random.getstate(), numpy.random.get_state()[1].tolist()
    intervals(rows_of([0.0, 1.0, 1.0]), seed=0)
    assert (random.getstate(), numpy.random.get_state()[1].tolist()) == before


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0, 1.0], [1.0, float("nan"), 0.0]])
def test_there_is_none_where_draws_say_nothing(values: list[float]) -> None:
    assert intervals(rows_of(values), seed=0) == {}


def test_draws_are_fewer_where_they_cost_more_and_never_too_few() -> None:
    assert draws(rows_of(range(138))) == MOST
    assert LEAST < draws(rows_of(range(30_000))) < MOST
    assert draws(rows_of(range(1000), cost=1000.0)) == LEAST
    assert draws(rows_of(range(1_000_000))) == LEAST


@pytest.mark.parametrize("freedom", [9, 50, 137, 2000])
def test_the_quantile_of_student_s_t_is_scipy_s(freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert _t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_where_a_measurement_takes_long_only_ratios_of_sums_have_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    values = numpy.random.default_rng(2).random(40)
    calls: list[int] = []

    def measure(sample: Any) -> dict[str, float]:
        calls.append(len(sample))
        return {"mean": float(values[sample].mean()), "slow": 1.0}

    rows = attrs.evolve(rows_of(values), measure=measure, ratios={"mean": (values, numpy.ones(40))})
    quick = intervals(rows, seed=0)
    calls.clear()
    with caplog.at_level("INFO"):
        slow = intervals(rows, seed=0, effort=attrs.evolve(WHOLE, seconds=0.0))
    assert calls == [40] * 3
    assert slow["mean"] == pytest.approx(quick["mean"])
    assert "no intervals of slow" in caplog.text


def test_what_the_first_measurement_alone_takes_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of detectors, whose matches are worked out once: a second of that is none for each draw."""
    values = numpy.random.default_rng(2).random(40)
    clock = [0.0]
    monkeypatch.setattr("adapt_core.uncertainty.intervals.time.thread_time", lambda: clock[0])
    first = [1.0]

    def measure(sample: Any) -> dict[str, float]:
        clock[0] += first.pop() if first else 0.001
        return {"mean": float(values[sample].mean())}

    assert set(intervals(attrs.evolve(rows_of(values), measure=measure), seed=0)) == {"mean"}


def test_brief_intervals_are_those_of_fewer_draws_and_seldom_far_off() -> None:
    calls = []
    rows = rows_of(numpy.random.default_rng(4).random(500))

    def measure(sample: Any) -> dict[str, float]:
        calls.append(len(sample))
        return dict(rows.measure(sample))

    counted = attrs.evolve(rows, measure=measure)
    low, high = intervals(counted, seed=1)["mean"]
    whole = len(calls)
    brief_low, brief_high = intervals(counted, seed=1, effort=BRIEF)["mean"]
    assert len(calls) - whole < 300 < whole
    assert [brief_low, brief_high] == pytest.approx([low, high], abs=0.2 * (high - low))


def test_intervals_of_an_evaluation_are_those_of_its_metrics_in_their_order() -> None:
    one = attrs.evolve(rows_of(range(20)), measure=lambda sample: {"b": float(sample.mean()), "unused": 1.0})
    other = attrs.evolve(rows_of(range(20)), measure=lambda sample: {"a": float(sample.max())})
    found = intervals_of([one, other], {"loss": 0.5, "a": 19.0, "b": 9.5}, seed=0, effort=BRIEF)
    assert list(found) == ["a", "b"]
    assert found["b"] == intervals(one, seed=0, effort=BRIEF)["b"]
