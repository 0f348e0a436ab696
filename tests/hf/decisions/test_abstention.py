"""The least confidence: answered rows have the wanted precision on fresh rows, in at least 95 of 100 data sets."""

from __future__ import annotations

import numpy
import pytest

from adapt_core.hf.decisions.abstention import answered_rows, fewest_rows, interval, least_confidence


def drawn(rows: int, seed: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Confidences of 0.5 to 1, and whether rows are right: with a probability of the confidence itself."""
    chance = numpy.random.default_rng(seed)
    confidences = 0.5 + 0.5 * chance.beta(2, 1, rows)
    return confidences, chance.random(rows) < confidences


def true_precision(least: float) -> float:
    confidences = 0.5 + 0.5 * numpy.random.default_rng(99).beta(2, 1, 400_000)
    return float(confidences[confidences >= least].mean())


@pytest.mark.parametrize("precision", [0.9, 0.95])
def test_fresh_rows_reach_the_precision_in_95_of_100_data_sets(precision: float) -> None:
    found = [least_confidence(*drawn(1000, seed), precision) for seed in range(150)]
    least = [each for each in found if each is not None]
    assert len(least) > 30
    missed = sum(true_precision(each) < precision for each in least)
    assert missed <= 0.05 * len(found) + 6  # two standard deviations are 5


def test_more_rows_answer_more() -> None:
    few, many = (answered_rows(*drawn(100_000, 7), least_confidence(*drawn(n, 5), 0.9)) for n in (1000, 50_000))
    assert many.coverage > few.coverage
    assert many.coverage == pytest.approx(0.64, abs=0.08)  # 0.9 is reached at a confidence of 0.8


def test_all_rows_are_answered_where_they_are_right() -> None:
    confidences = numpy.linspace(0.4, 0.9, 200)
    assert least_confidence(confidences, numpy.ones(200, dtype=bool), 0.95) == 0


def test_it_is_between_the_confidences_of_right_and_wrong_rows() -> None:
    confidences = numpy.linspace(1, 0.5, 400)
    right = numpy.arange(400) < 300
    least = least_confidence(confidences, right, 0.95)
    assert least is not None
    answered = answered_rows(confidences, right, least)
    assert answered.rows > 290
    assert answered.precision >= 0.95
    assert least not in confidences


def test_there_is_none_where_the_rows_are_too_few_or_too_often_wrong() -> None:
    assert fewest_rows(0.95) == 59
    few = numpy.linspace(0.5, 1, 58)
    assert least_confidence(few, numpy.ones(58, dtype=bool), 0.95) is None
    assert least_confidence(numpy.linspace(0.5, 1, 59), numpy.ones(59, dtype=bool), 0.95) == 0
    chance = numpy.random.default_rng(0)
    assert least_confidence(chance.random(1000), chance.random(1000) < 0.6, 0.95) is None


def test_rows_of_one_confidence_are_answered_together() -> None:
    confidences = numpy.array([0.9] * 100 + [0.6] * 100)
    right = numpy.array([True] * 100 + [False] * 100)
    assert least_confidence(confidences, right, 0.95) == pytest.approx(0.75)
    assert least_confidence(confidences, right[::-1].copy(), 0.95) is None


@pytest.mark.parametrize(("rows", "errors"), [(1, 0), (20, 0), (20, 20), (59, 3), (1000, 37), (20_000, 900)])
def test_its_interval_equals_scipy_s(rows: int, errors: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(rows - errors, rows).proportion_ci(0.95, method="exact")
    assert interval(rows, errors) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_no_answered_rows_say_nothing() -> None:
    confidences, right = drawn(10, 0)
    none = answered_rows(confidences, right, 1.1)
    assert (none.rows, none.coverage, none.precision, none.low, none.high) == (0, 0, 0, 0, 1)
