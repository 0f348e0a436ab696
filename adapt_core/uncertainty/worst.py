"""The rows that a model gets most wrong, and those whose labels it doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from adapt_core.evaluated_rows import EvaluatedRows, softmax

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

SHOWN = 10
"""Rows of each list."""

LONGEST_LABELS = 10_000_000
"""Scores (rows x classes) up to which labels are doubted."""

_MOST_ITEMS = 1_000
"""Tags or objects of a row that are told."""

_ERRORS = ("mse",)
"""Ratios of which a row is worse the higher they are."""


@attrs.frozen
class RowList:
    """Rows worth a look: what they are, and their positions in `EvaluatedRows`, the first to look at first."""

    title: str
    positions: tuple[int, ...]


def worst_rows(rows: EvaluatedRows) -> list[RowList]:
    """Return the lists of an evaluation that are not empty."""
    lists = [_mistakes(rows), RowList("labels that the model doubts", _doubted(rows))]
    return [one for one in lists if one.positions]


def _mistakes(rows: EvaluatedRows) -> RowList:
    """Return the most confident mistakes; without a confidence, the rows with the worst value of the first metric."""
    import numpy

    if rows.right is not None and rows.confidence is not None:
        wrong = numpy.flatnonzero(~numpy.array(rows.right, dtype=bool))
        ranks = -numpy.array(rows.confidence, dtype=float)[wrong]
        return RowList("most confident mistakes", _first(wrong, ranks))
    if not rows.ratios or all(value is None for value in rows.expected):
        return RowList("", ())
    name, (over, under) = next(iter(rows.ratios.items()))
    values = numpy.asarray(over) / numpy.where(numpy.asarray(under) > 0, under, 1)
    worse = -values if name in _ERRORS else values
    wrong = numpy.ones(len(rows), dtype=bool) if rows.right is None else ~numpy.array(rows.right, dtype=bool)
    at_fault = numpy.flatnonzero(wrong)
    title = f"rows with the {'highest' if name in _ERRORS else 'lowest'} {name}"
    return RowList(title, _first(at_fault, worse[at_fault]))


def _doubted(rows: EvaluatedRows) -> tuple[int, ...]:
    """Return rows whose class is probably another one, the clearest first.

    A row is doubted where the model gives another class at least the mean probability that it gives that class in the
    rows which have it (confident learning; Northcutt et al., 2021). The rows took no part in training.
    """
    import numpy

    if rows.kind != "class" or rows.scores is None or not 0 < rows.scores.size <= LONGEST_LABELS:
        return ()
    number_of = {name: number for number, name in enumerate(rows.labels)}
    if any(name not in number_of for name in rows.expected):
        return ()
    truth = numpy.array([number_of[name] for name in rows.expected])
    shares = softmax(rows.scores.astype(float))
    every = numpy.arange(len(truth))
    own = shares[every, truth]
    counts = numpy.maximum(numpy.bincount(truth, minlength=shares.shape[1]), 1)
    usual = numpy.bincount(truth, weights=own, minlength=shares.shape[1]) / counts
    usual[numpy.bincount(truth, minlength=shares.shape[1]) == 0] = numpy.inf
    best = shares.argmax(axis=1)
    doubted = numpy.flatnonzero((best != truth) & (shares[every, best] >= usual[best]))
    return _first(doubted, (own - shares[every, best])[doubted])


def _first(positions: NDArray[numpy.intp], ranks: NDArray[numpy.float64]) -> tuple[int, ...]:
    """Return at most SHOWN positions, those of the lowest ranks first."""
    return tuple(int(each) for each in positions[ranks.argsort(kind="stable")[:SHOWN]])


def told(value: object) -> str:
    """Return what was expected or predicted of a row in words."""
    if isinstance(value, (list, tuple)):
        words = ", ".join(_item(item) for item in value[:_MOST_ITEMS]) or "none"
        return f"{words} and {len(value) - _MOST_ITEMS} more" if len(value) > _MOST_ITEMS else words
    return str(value)


def _item(item: object) -> str:
    if isinstance(item, Mapping):  # an object
        return f"{item['label']} {item['score']:.2f}" if "score" in item else str(item["label"])
    return f"{item:.4g}" if isinstance(item, float) else str(item)


def shown_row(rows: EvaluatedRows, position: int) -> dict[str, object]:
    """Return a row as `evaluation.json` has it, without its input: its number from 1, and what was found of it."""
    confidence: Sequence[float] = rows.confidence or ()
    found: dict[str, object] = {
        "row": int(rows.rows[position]) + 1,
        "expected": told(rows.expected[position]),
        "predicted": told(rows.predicted[position]),
    }
    return {**found, "confidence": float(confidence[position])} if len(confidence) else found
