"""The record of one evaluation: the scores of each class, and the order of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict, TypeVar

import attrs

Kept = TypeVar("Kept")

LARGEST_CONFUSION = 100
"""Classes up to which the counts of confusions are kept (they grow with the square)."""


class Sample(TypedDict):
    """A validation row as the report shows it; see `adapt_core.capabilities.SupportsSamples`."""

    input: Any
    expected: Any
    predicted: Any
    right: NotRequired[bool]
    found: NotRequired[int]


class ClassTable(TypedDict):
    """A `PerClass` as `evaluation.json` has it."""

    labels: list[str]
    figures: dict[str, list[float]]
    confusion: list[list[int]] | None


class RecordedEvaluation(TypedDict):
    """What `evaluation.json` has of the evaluation before training, or of the one after."""

    samples: list[Sample]
    per_class: ClassTable | None


@attrs.frozen(kw_only=True)
class PerClass:
    """The scores of each class in one evaluation.

    Attributes:
        labels: class names, in the order of all that follows.
        figures: a figure's name ("precision", "ap") to one number for each class.
        confusion: counts, a row for each true class and a column for each predicted one; None where that has no
            meaning, or where there are more than LARGEST_CONFUSION classes.
        true: rows of each class. Like the next two it follows from `confusion`, where that is given; None where rows
            are not counted.
        predicted: predictions of each class.
        right: predictions of each class that are right.
    """

    labels: tuple[str, ...]
    figures: Mapping[str, Sequence[float]] = attrs.field(factory=dict)
    confusion: Sequence[Sequence[int]] | None = None
    true: Sequence[int] | None = attrs.field()
    predicted: Sequence[int] | None = attrs.field()
    right: Sequence[int] | None = attrs.field()

    @true.default
    def _rows(self) -> Sequence[int] | None:
        return None if self.confusion is None else [sum(row) for row in self.confusion]

    @predicted.default
    def _columns(self) -> Sequence[int] | None:
        return None if self.confusion is None else [sum(column) for column in zip(*self.confusion, strict=True)]

    @right.default
    def _diagonal(self) -> Sequence[int] | None:
        return None if self.confusion is None else [row[number] for number, row in enumerate(self.confusion)]


def deciding_metric(values: Mapping[str, float], directions: Mapping[str, str], wanted: str | None) -> str:
    """Return the metric that decides what is best: METRIC_FOR_BEST, else the first of a task's that was measured.

    Args:
        values: what was measured.
        directions: the task's metrics, each with "higher" or "lower", in the order in which it declares them.
        wanted: METRIC_FOR_BEST.
    """
    folded = (wanted or "").removeprefix("eval_").casefold()
    named = (name for name in values if name.casefold() == folded)
    return next(named, next((name for name in directions if name in values and name != "loss"), "loss"))


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
            if all(metrics.get(name) is value or metrics.get(name) == value for name, value in scores)  # NaN is not NaN
        ),
        None,
    )
