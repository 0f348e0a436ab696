"""Accuracy, top-5 accuracy and macro-F1 of image classification. Imports nothing heavy at its top."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import EvalPrediction

METRICS = {"accuracy": "higher", "top5_accuracy": "higher", "macro_f1": "higher"}
"""The metrics of the task's spec; the first decides which weights are best."""


def best_five(logits: torch.Tensor | tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """Return the five best class ids of each row, best first, so that evaluation keeps little in memory.

    Args:
        logits: float tensor (rows, classes), or a tuple that begins with it.
        labels: not used; the Trainer passes them.

    Returns:
        int tensor (rows, 5) on the device, narrower if there are fewer classes.
    """
    scores = logits[0] if isinstance(logits, tuple) else logits
    return scores.topk(min(5, scores.shape[-1]), dim=-1).indices


def classification_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Return accuracy, top-5 accuracy (1 with five classes or fewer) and macro-F1.

    Macro-F1 is the mean over the classes that occur, as in scikit-learn.

    Args:
        prediction: `predictions`, int array (rows, 5) from `best_five`, and `label_ids`, int array (rows,).
    """
    from adapt_core.hf.loop.per_class import macro_f1

    best, truth = prediction.predictions, prediction.label_ids
    return {
        "accuracy": float((best[:, 0] == truth).mean()),
        "top5_accuracy": float((best == truth[:, None]).any(axis=1).mean()),
        "macro_f1": macro_f1(truth, best[:, 0]),
    }
