"""Results of a classification by class, for the report, and their mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from numpy.typing import ArrayLike, NDArray

from adapt_core.evaluation import LARGEST_CONFUSION, PerClass
from adapt_core.metrics.labels import mean_f1


def class_table(truth: ArrayLike, predicted: ArrayLike, labels: Sequence[str]) -> PerClass:
    """Return precision, recall, F1 (0 where undefined) and rows of each class; of few classes the confusion matrix.

    Args:
        truth, predicted: class ids, int arrays (rows,).
        labels: class names by id.
    """
    count = len(labels)
    true_ids, predicted_ids = numpy.asarray(truth).astype(int), numpy.asarray(predicted).astype(int)
    rows, guesses = (numpy.bincount(ids, minlength=count) for ids in (true_ids, predicted_ids))
    right = numpy.bincount(true_ids[true_ids == predicted_ids], minlength=count)
    figures = {
        "precision": right / numpy.maximum(guesses, 1),
        "recall": right / numpy.maximum(rows, 1),
        "f1": 2 * right / numpy.maximum(rows + guesses, 1),
        "rows": rows,
    }
    return PerClass(
        labels=tuple(labels),
        figures={name: values.tolist() for name, values in figures.items()},
        confusion=_confusion(true_ids, predicted_ids, count) if count <= LARGEST_CONFUSION else None,
        true=rows.tolist(),
        predicted=guesses.tolist(),
        right=right.tolist(),
    )


def macro_f1(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean F1 of the classes that occur in either argument.

    The value is that of scikit-learn's `f1_score`, whose import takes a second of a run.

    Args:
        truth, predicted: classes, arrays (rows,) of ids or names; at least one row.
    """
    true, found = numpy.asarray(truth), numpy.asarray(predicted)
    classes, ids = numpy.unique(numpy.concatenate([true, found]), return_inverse=True)
    true_ids, found_ids = ids[: len(true)], ids[len(true) :]
    rows, guesses = (numpy.bincount(each, minlength=len(classes)) for each in (true_ids, found_ids))
    right = numpy.bincount(true_ids[true_ids == found_ids], minlength=len(classes))
    return mean_f1(rows, guesses, right)


def _confusion(truth: NDArray[numpy.int_], predicted: NDArray[numpy.int_], count: int) -> list[list[int]]:
    pairs = numpy.bincount(truth * count + predicted, minlength=count * count)
    table: list[list[int]] = pairs.reshape(count, count).tolist()
    return table
