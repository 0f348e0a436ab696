"""Accuracy and macro-F1 of class ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

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
    from adapt_core.hf.loop.per_class import macro_f1

    return {
        "accuracy": float((numpy.asarray(truth) == numpy.asarray(predicted)).mean()),
        "macro_f1": macro_f1(truth, predicted),
    }
