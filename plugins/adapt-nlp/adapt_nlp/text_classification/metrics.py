"""Accuracy and macro-F1 of single-label classification."""

from __future__ import annotations

from typing import Any


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
