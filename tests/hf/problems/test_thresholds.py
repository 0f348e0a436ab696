"""Thresholds are the best of each label; numbers that never vary have finite scores."""

from __future__ import annotations

from typing import Any

import pytest

numpy = pytest.importorskip("numpy")

from adapt_core.hf.problems.scores import label_scores, number_scores  # noqa: E402
from adapt_core.hf.problems.thresholds import DEFAULT, best_thresholds  # noqa: E402

SEEDS = range(5)


def labelled(seed: int, rows: int = 60) -> tuple[Any, Any]:
    """Truth and scores of five labels, from frequent to one that no row has; scores of one digit, so many are equal."""
    random = numpy.random.default_rng(seed)
    truth = (random.random((rows, 5)) < [0.5, 0.3, 0.1, 0.05, 0.0]).astype(float)
    scores = (0.3 * truth + 0.7 * random.random((rows, 5)) * [1.0, 0.9, 0.6, 0.4, 0.2]).round(1)
    return truth, scores


def test_numbers_that_are_all_the_same_have_finite_scores() -> None:
    same, other = numpy.ones((3, 1)), numpy.array([[1.0], [2.0], [3.0]])
    assert number_scores(same, other)["r2"] == number_scores(same, other)["pearson"] == 0.0
    assert number_scores(same, same)["r2"] == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_no_threshold_of_a_label_has_a_better_f1(seed: int) -> None:
    truth, scores = labelled(seed)

    def f1(label: int, least: float) -> float:
        given = scores[:, label] >= least
        return float(2 * (given * truth[:, label]).sum() / max((given + truth[:, label]).sum(), 1))

    for label, least in enumerate(best_thresholds(scores, truth)):
        assert f1(label, least) == max(f1(label, candidate) for candidate in numpy.linspace(0, 1, 101))
    assert best_thresholds(scores, truth)[4] == DEFAULT


def test_tuned_thresholds_are_above_the_best_single_one_on_rows_that_they_never_saw() -> None:
    """Labels whose probabilities lie on other scales, as rare ones' do: 400 rows to tune on, 4,000 to score."""
    random = numpy.random.default_rng(0)
    shares, scale = numpy.array([0.4, 0.2, 0.05, 0.02]), numpy.array([1.0, 0.6, 0.25, 0.1])

    def rows(count: int) -> tuple[Any, Any]:
        truth = (random.random((count, 4)) < shares).astype(float)
        return truth, scale / (1 + numpy.exp(-4 * truth + 2 + random.normal(size=(count, 4))))

    (truth, scores), (new, new_scores) = rows(400), rows(4000)

    def macro_f1(least: Any) -> float:
        return label_scores(new, (new_scores >= least).astype(float), new_scores)["macro_f1"]

    best_single = max(macro_f1(least) for least in numpy.linspace(0.01, 0.99, 99))  # chosen on the very rows scored
    assert macro_f1(numpy.array(best_thresholds(scores, truth))) > best_single + 0.1
