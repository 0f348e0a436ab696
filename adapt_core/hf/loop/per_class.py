"""Results of a classification by class, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy
from numpy.typing import ArrayLike, NDArray

from adapt_core.evaluation import LARGEST_CONFUSION, PerClass, of_evaluation


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


def _confusion(truth: NDArray[numpy.int_], predicted: NDArray[numpy.int_], count: int) -> list[list[int]]:
    pairs = numpy.bincount(truth * count + predicted, minlength=count * count)
    table: list[list[int]] = pairs.reshape(count, count).tolist()
    return table


class ClassTables:
    """The class tables of the evaluations that a run may still ask for: the latest two, and that of the best step."""

    def __init__(self) -> None:
        self._tables: list[tuple[int, tuple[tuple[str, float], ...], PerClass]] = []

    def keep(self, table: PerClass, scores: Mapping[str, float], *, step: int, best: int | None) -> None:
        """Keep the table of an evaluation; of those before it only the latest and that of the best step.

        Args:
            table: of this evaluation.
            scores: of this evaluation.
            step: at which it was made.
            best: the best step of those before it.
        """
        before = self._tables
        self._tables = [item for item in before if item is before[-1] or item[0] == best]
        self._tables.append((step, tuple(scores.items()), table))

    def find(self, metrics: Mapping[str, float], measured: Mapping[int, Mapping[str, float]]) -> PerClass | None:
        """Return the table of the evaluation with these metrics, or None.

        Of evaluations with the same scores it is that of the step which gave this very mapping, or else the latest.

        Args:
            metrics: the scores, and others such as the loss.
            measured: step -> the metrics of its evaluation.
        """
        of_step = [item for item in self._tables if measured.get(item[0]) is metrics] or self._tables
        return of_evaluation({scores: table for _, scores, table in of_step}, metrics)
