"""Core's metrics of classes, labels and numbers: scikit-learn says the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy
import pytest

from adapt_core.metrics import labels, numbers

sklearn_metrics = pytest.importorskip("sklearn.metrics")

NAMES = ("ash", "birch", "cedar", "beech")


def classes(seed: int, of: Sequence[str] = NAMES) -> tuple[list[str], list[str]]:
    """Rows whose predictions are right more often than not; one class may be only predicted, another only true."""
    draw = numpy.random.default_rng(seed)
    expected = [str(name) for name in draw.choice(of[:-1], 40)]
    guesses = [str(name) for name in draw.choice(of[1:], 40)]
    return [e if draw.random() < 0.6 else g for e, g in zip(expected, guesses, strict=True)], expected


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (labels.accuracy, sklearn_metrics.accuracy_score),
        (labels.balanced_accuracy, sklearn_metrics.balanced_accuracy_score),
        (labels.matthews, sklearn_metrics.matthews_corrcoef),
        (labels.kappa, sklearn_metrics.cohen_kappa_score),
        (labels.macro_f1, partial(sklearn_metrics.f1_score, average="macro", zero_division=0)),
        (labels.micro_f1, partial(sklearn_metrics.f1_score, average="micro", zero_division=0)),
        (labels.weighted_f1, partial(sklearn_metrics.f1_score, average="weighted", zero_division=0)),
        (labels.macro_precision, partial(sklearn_metrics.precision_score, average="macro", zero_division=0)),
        (labels.macro_recall, partial(sklearn_metrics.recall_score, average="macro", zero_division=0)),
    ],
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_of_classes(ours: Callable[..., float], theirs: Callable[..., float], seed: int) -> None:
    predicted, expected = classes(seed)
    assert ours(predicted, expected) == pytest.approx(theirs(expected, predicted))


def test_where_all_rows_have_and_are_given_one_class() -> None:
    assert labels.accuracy(["ash"], ["ash"]) == labels.macro_f1(["ash"], ["ash"]) == 1.0
    assert labels.matthews(["ash", "ash"], ["ash", "ash"]) == labels.kappa(["ash"], ["ash"]) == 0.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (labels.jaccard, partial(sklearn_metrics.jaccard_score, average="samples", zero_division=1)),
        (labels.subset_accuracy, sklearn_metrics.accuracy_score),
        (labels.macro_f1, partial(sklearn_metrics.f1_score, average="macro", zero_division=0)),
        (labels.micro_f1, partial(sklearn_metrics.f1_score, average="micro", zero_division=0)),
        (labels.weighted_f1, partial(sklearn_metrics.f1_score, average="weighted", zero_division=0)),
        (labels.macro_recall, partial(sklearn_metrics.recall_score, average="macro", zero_division=0)),
    ],
)
def test_of_several_labels(ours: Callable[..., float], theirs: Callable[..., float], seed: int) -> None:
    draw = numpy.random.default_rng(seed)
    expected, predicted = draw.random((2, 30, len(NAMES))) < 0.4

    def named(table: Any) -> list[list[str]]:
        return [[name for name, has in zip(NAMES, row, strict=True) if has] for row in table]

    assert ours(named(predicted), named(expected)) == pytest.approx(theirs(expected, predicted))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (numbers.max_error, sklearn_metrics.max_error),
        (numbers.median_absolute_error, sklearn_metrics.median_absolute_error),
        (numbers.mean_absolute_percentage_error, sklearn_metrics.mean_absolute_percentage_error),
    ],
)
def test_of_numbers_each_the_mean_over_the_columns(ours: Callable[..., float], theirs: Callable[..., float]) -> None:
    expected, predicted = numpy.random.default_rng(0).normal(size=(2, 25, 3))
    each = [theirs(expected[:, column], predicted[:, column]) for column in range(3)]
    assert ours(predicted.tolist(), expected.tolist()) == pytest.approx(numpy.mean(each))
