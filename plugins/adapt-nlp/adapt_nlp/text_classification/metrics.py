"""Accuracy and macro-F1 of single-label classification, and how each class did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapt_core.extras import PerClass


def argmax(logits: Any, labels: Any) -> Any:
    """Class ids from logits, on the device, so that evaluation keeps one number a row.

    Args:
        logits: float tensor (batch, classes), or a tuple whose first element it is.
        labels: unused.
    """
    return (logits[0] if isinstance(logits, tuple) else logits).argmax(dim=-1)


def classification_metrics(prediction: Any) -> dict[str, float]:
    """Accuracy and macro-F1 (the mean over the classes that occur, as scikit-learn computes it).

    Args:
        prediction: `predictions` and `label_ids`, int arrays (rows,).
    """
    from sklearn.metrics import accuracy_score, f1_score

    predicted, truth = prediction.predictions, prediction.label_ids
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1_score(truth, predicted, average="macro", zero_division=0.0)),
    }


def class_table(truth: Any, predicted: Any, labels: Sequence[str]) -> PerClass:
    """Precision, recall, F1 and rows of each class, and the counts of confusions.

    Args:
        truth, predicted: class ids, int arrays (rows,).
        labels: class names by id.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    ids = range(len(labels))
    figures = precision_recall_fscore_support(truth, predicted, labels=ids, zero_division=0.0)
    names = ("precision", "recall", "f1", "rows")
    return PerClass(
        labels=tuple(labels),
        figures={name: values.tolist() for name, values in zip(names, figures, strict=True)},
        confusion=confusion_matrix(truth, predicted, labels=ids).tolist(),
    )
