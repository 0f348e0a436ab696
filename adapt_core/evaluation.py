"""The record of one evaluation: what was counted of its data, the scores of each class, the order of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NotRequired, TypeAlias, TypedDict, TypeVar

import attrs

from adapt_core.evaluated_rows import EvaluatedRows

Kept = TypeVar("Kept")

Statistic: TypeAlias = "int | float | str | Mapping[str, Statistic]"
"""What was counted of the data: rows, dropped rows, the form of a chat, or several of a split by name."""

OF_PLACE = "@"
"""Between a metric and the name of the data set on whose rows alone it was measured: accuracy@reviews."""

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
    also: NotRequired[dict[str, dict[str, float]]]
    worst: NotRequired[list[dict[str, Any]]]


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


@attrs.frozen(kw_only=True)
class Evaluated:
    """What a loop kept of one evaluation.

    Attributes:
        table: the scores of each class; None where there are none.
        rows: what it says of each row; several where it predicts several things.
    """

    table: PerClass | None = None
    rows: Sequence[EvaluatedRows] = ()


@attrs.frozen(kw_only=True)
class Decisions:
    """What predictions decide by, tuned on the validation split, and how well that does on one split.

    Attributes:
        tuned: a decision's name ("calibration", "abstain", "thresholds") -> what was tuned, JSON-ready.
        measured: a decision's name -> its figures on the split, JSON-ready.
        findings: what is wrong with the decisions.
        confidence: of the predicted class of each of the rows of kind "class", by these decisions; None where they
            change none.
    """

    tuned: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    measured: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    findings: Sequence[str] = ()
    confidence: Sequence[float] | None = None

    def applied_to(self, found: Sequence[EvaluatedRows]) -> list[EvaluatedRows]:
        """Return what was found of rows, with the confidence that predictions tell."""
        if self.confidence is None:
            return list(found)
        return [attrs.evolve(rows, confidence=self.confidence) if rows.kind == "class" else rows for rows in found]


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


def direction_of(name: str, directions: Mapping[str, str]) -> str | None:
    """Return whether "higher" or "lower" values of a metric are better, also of one measured on a single place's rows.

    Args:
        name: "accuracy", or "accuracy@reviews".
        directions: the task's metrics, each with "higher" or "lower".
    """
    return directions.get(name.partition(OF_PLACE)[0])


def further_split(name: str) -> str:
    """Return what a data set of ALSO_EVALUATE is called: as a split of rows, and as a moment of intervals."""
    return f"also {name}"


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


class KeptEvaluations(Generic[Kept]):
    """What a run may still ask for of its evaluations: that of the latest two, and of the best step."""

    def __init__(self) -> None:
        self._held: list[tuple[int, tuple[tuple[str, float], ...], Kept]] = []

    def keep(self, kept: Kept, scores: Mapping[str, float], *, step: int, best: int | None) -> None:
        """Keep something of an evaluation; of those before it only what is of the latest and of the best step.

        Args:
            kept: of this evaluation.
            scores: of this evaluation.
            step: at which it was made.
            best: the best step of those before it.
        """
        before = self._held
        self._held = [item for item in before if item is before[-1] or item[0] == best]
        self._held.append((step, tuple(scores.items()), kept))

    def find(self, metrics: Mapping[str, float], measured: Mapping[int, Mapping[str, float]]) -> Kept | None:
        """Return what was kept of the evaluation with these metrics, or None.

        Of evaluations with the same scores it is that of the step which gave this very mapping, or else the latest.

        Args:
            metrics: the scores, and others such as the loss.
            measured: step -> the metrics of its evaluation.
        """
        of_step = [item for item in self._held if measured.get(item[0]) is metrics] or self._held
        return of_evaluation({scores: kept for _, scores, kept in of_step}, metrics)
