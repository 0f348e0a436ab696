"""Accuracy and macro-F1 of class ids, as scikit-learn computes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def predicted_classes(logits: torch.Tensor | tuple[torch.Tensor, ...], _labels: torch.Tensor) -> torch.Tensor:
    """Return the class of the largest logit, computed on the device so that evaluation keeps one number a label.

    Args:
        logits: float tensor (..., classes), or a tuple that begins with it.
    """
    return (logits[0] if isinstance(logits, tuple) else logits).argmax(dim=-1)


def classification_scores(
    truth: Sequence[int] | Sequence[str], predicted: Sequence[int] | Sequence[str]
) -> dict[str, float]:
    """Return accuracy and macro-F1, the mean over the classes that occur in either argument.

    Args:
        truth: the class of each row.
        predicted: the same from the model.
    """
    from sklearn.metrics import accuracy_score, f1_score

    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1_score(truth, predicted, average="macro", zero_division=0.0)),
    }
