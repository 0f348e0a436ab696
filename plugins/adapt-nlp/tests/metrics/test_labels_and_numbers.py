"""Metrics of several labels and of numbers are scikit-learn's and scipy's."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from adapt_core.hf.problems.scores import label_scores, number_scores

SEEDS = range(5)


def labelled(seed: int, rows: int = 60) -> tuple[Any, Any]:
    """Truth and scores of five labels, from frequent to one that no row has; scores of one digit, so many are equal."""
    random = numpy.random.default_rng(seed)
    truth = (random.random((rows, 5)) < [0.5, 0.3, 0.1, 0.05, 0.0]).astype(float)
    scores = (0.3 * truth + 0.7 * random.random((rows, 5)) * [1.0, 0.9, 0.6, 0.4, 0.2]).round(1)
    return truth, scores


@pytest.mark.parametrize("seed", SEEDS)
def test_label_scores_are_scikit_learn_s(seed: int) -> None:
    from sklearn import metrics

    truth, scores = labelled(seed)
    predicted = (scores >= 0.4).astype(float)
    occurring = truth.any(axis=0)
    assert label_scores(truth, predicted, scores) == pytest.approx(
        {
            "macro_f1": metrics.f1_score(truth, predicted, average="macro", zero_division=numpy.nan),
            "micro_f1": metrics.f1_score(truth, predicted, average="micro"),
            "mAP": metrics.average_precision_score(truth[:, occurring], scores[:, occurring], average="macro"),
            "subset_accuracy": metrics.accuracy_score(truth, predicted),
        }
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_number_scores_are_scikit_learn_s_and_scipy_s(seed: int) -> None:
    from scipy import stats
    from sklearn import metrics

    random = numpy.random.default_rng(seed)
    truth = random.normal(size=(40, 2)).round(1)
    found = (truth + random.normal(size=(40, 2))).round(1)
    each = range(2)
    assert number_scores(truth, found) == pytest.approx(
        {
            "mse": metrics.mean_squared_error(truth, found),
            "rmse": metrics.mean_squared_error(truth, found) ** 0.5,
            "mae": metrics.mean_absolute_error(truth, found),
            "r2": metrics.r2_score(truth, found),
            "pearson": numpy.mean([stats.pearsonr(truth[:, n], found[:, n])[0] for n in each]),
            "spearman": numpy.mean([stats.spearmanr(truth[:, n], found[:, n])[0] for n in each]),
        }
    )
