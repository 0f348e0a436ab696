"""The word error rate, computed by torchmetrics."""

from __future__ import annotations

from collections.abc import Sequence

from torchmetrics.functional.text import word_error_rate as rate


def word_error_rate(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return the edits between all texts, for each expected word."""
    return float(rate(list(predicted), list(expected)))
