"""The record of one evaluation: the scores of each class, and the order of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import attrs

Kept = TypeVar("Kept")


@attrs.frozen(kw_only=True)
class PerClass:
    """The scores of each class in one evaluation.

    Attributes:
        labels: class names, in the order of all that follows.
        figures: a figure's name ("precision", "ap") to one number for each class.
        confusion: counts, a row for each true class and a column for each predicted one; None where that has no
            meaning, or where there are too many classes for a table.
    """

    labels: tuple[str, ...]
    figures: Mapping[str, Sequence[float]] = attrs.field(factory=dict)
    confusion: Sequence[Sequence[int]] | None = None


def spread(total: int, count: int) -> list[int]:
    """Return at most `count` indices below `total`, evenly spaced from the first."""
    step = max(total / count, 1.0)
    return [int(number * step) for number in range(min(count, total))]


def of_evaluation(kept: dict[tuple[tuple[str, float], ...], Kept], metrics: Mapping[str, float]) -> Kept | None:
    """Return what was kept of the latest evaluation that gave these metrics, or None.

    Args:
        kept: by the scores of its evaluation, as items, the latest last.
        metrics: those scores, and others such as the loss.
    """
    return next(
        (
            found
            for scores, found in reversed(kept.items())
            if all(metrics.get(name) == value for name, value in scores)
        ),
        None,
    )
