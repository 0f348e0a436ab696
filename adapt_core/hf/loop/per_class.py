"""Results of a classification by class, for the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from numpy.typing import ArrayLike

from adapt_core.evaluation import PerClass


def class_table(truth: ArrayLike, predicted: ArrayLike, labels: Sequence[str]) -> PerClass:
    """Return precision, recall, F1 (0 where undefined) and rows of each class, and the confusion matrix.

    Args:
        truth, predicted: class ids, int arrays (rows,).
        labels: class names by id.
    """
    count = len(labels)
    pairs = numpy.asarray(truth).astype(int) * count + numpy.asarray(predicted).astype(int)
    confusion = numpy.bincount(pairs, minlength=count * count).reshape(count, count)
    right, rows, guesses = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    figures = {
        "precision": right / numpy.maximum(guesses, 1),
        "recall": right / numpy.maximum(rows, 1),
        "f1": 2 * right / numpy.maximum(rows + guesses, 1),
        "rows": rows,
    }
    return PerClass(
        labels=tuple(labels),
        figures={name: values.tolist() for name, values in figures.items()},
        confusion=confusion.tolist(),
    )
