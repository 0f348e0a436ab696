"""The report's section on classes: scores, and confusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from adapt_core.evaluation import ClassTable, RecordedEvaluation
from adapt_core.runtime.format import figure

LARGEST_MATRIX = 16
"""Classes up to which the confusions are shown as a matrix; of more, the most frequent ones are listed."""

LARGEST_TABLE = 1000
"""Classes that the table of scores shows; `evaluation.json` has them all."""

_LISTED = 15


@attrs.frozen
class ClassSection:
    """The section of classes.

    Attributes:
        moment: "before" or "after".
        names: of the figures.
        rows: a class with its figures, in words; of very many classes the first ones.
        count: of all classes.
        labels: the classes of the matrix.
        matrix: a class with (count, share of its row) for each predicted class.
        confused: (true class, predicted class, count), the most frequent first.
    """

    moment: str
    names: list[str]
    rows: list[tuple[str, list[str]]]
    count: int
    labels: list[str]
    matrix: list[tuple[str, list[tuple[int, float]]]]
    confused: list[tuple[str, str, int]]


def class_section(evidence: Mapping[str, RecordedEvaluation]) -> ClassSection | None:
    """Return the section for the last evaluation that reported classes; None where none did."""
    for moment in ("after", "before"):
        recorded = evidence.get(moment)
        if recorded and recorded["per_class"]:
            return _section(moment, recorded["per_class"])
    return None


def _section(moment: str, table: ClassTable) -> ClassSection:
    labels = list(table["labels"])
    figures = table["figures"]
    rows = [
        (label, [_cell(values[number]) for values in figures.values()])
        for number, label in enumerate(labels[:LARGEST_TABLE])
    ]
    counts = table["confusion"] or []
    small = len(labels) <= LARGEST_MATRIX
    return ClassSection(
        moment=moment,
        names=list(figures),
        rows=rows,
        count=len(labels),
        labels=labels,
        matrix=[(label, _shares(row)) for label, row in zip(labels, counts, strict=bool(counts))] if small else [],
        confused=[] if small else _most_confused(labels, counts),
    )


def _cell(value: float | None) -> str:
    if value is None:
        return "not finite"  # JSON has no NaN
    return figure(value) if isinstance(value, int) else f"{value:.4f}"


def _shares(row: Sequence[int]) -> list[tuple[int, float]]:
    total = sum(row) or 1
    return [(count, round(count / total, 3)) for count in row]


def _most_confused(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[tuple[str, str, int]]:
    pairs = [
        (labels[truth], labels[predicted], count)
        for truth, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if count and truth != predicted
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:_LISTED]
