"""The scores of each class in a classification, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from adapt_core.evaluation import PerClass


def class_table(truth: Any, predicted: Any, labels: Sequence[str]) -> PerClass:
    """Precision, recall, F1 and rows of each class (0 where they are not defined), and the counts of confusions.

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
