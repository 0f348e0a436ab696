"""Accuracy, top-5 accuracy and macro-F1 of image classification."""

from __future__ import annotations

from typing import Any

METRICS = {"accuracy": "higher", "top5_accuracy": "higher", "macro_f1": "higher"}


def best_five(logits: Any, labels: Any) -> Any:
    """The five best class ids of each row, best first, on the device, so that evaluation keeps little.

    Args:
        logits: float tensor (rows, classes), or a tuple whose first element it is.
        labels: unused.

    Returns:
        int tensor (rows, 5), narrower where there are fewer classes.
    """
    scores = logits[0] if isinstance(logits, tuple) else logits
    return scores.topk(min(5, scores.shape[-1]), dim=-1).indices


def classification_metrics(prediction: Any) -> dict[str, float]:
    """Accuracy, top-5 accuracy (1 where there are five classes or fewer) and macro-F1.

    Macro-F1 is the mean over the classes that occur, as scikit-learn computes it.

    Args:
        prediction: `predictions`, int array (rows, 5) from `best_five`, and `label_ids`, int array (rows,).
    """
    from sklearn.metrics import f1_score

    best, truth = prediction.predictions, prediction.label_ids
    return {
        "accuracy": float((best[:, 0] == truth).mean()),
        "top5_accuracy": float((best == truth[:, None]).any(axis=1).mean()),
        "macro_f1": float(f1_score(truth, best[:, 0], average="macro", zero_division=0.0)),
    }
