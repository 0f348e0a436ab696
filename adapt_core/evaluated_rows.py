"""What an evaluation says of each row: from it come intervals, kept predictions, the worst errors and paired tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Addends: TypeAlias = NDArray[numpy.float64]
    """What each row adds to a sum: (rows,)."""

KINDS = ("class", "labels", "numbers", "tags", "text", "answer", "objects", "tokens")
"""What is predicted of a row; see `EvaluatedRows`."""


@attrs.frozen(kw_only=True, eq=False)
class EvaluatedRows:
    """What one evaluation says of each row of a split, in the order of the rows.

    A row is what a user calls one: a text, a document, a question, an image; neither a window nor a pack.

    Attributes:
        kind: one of KINDS.
        rows: the position of each row in `TaskData.rows[split]`.
        expected: of each row. class: a name; labels: a list of names; numbers: a list of floats; tags: the tag of each
            word; text: a text; answer: the list of accepted texts, empty where the question has none; objects: a list
            of {"label", "bbox": [x, y, width, height], "not_counted": a crowd, or a body without points}; tokens: None.
        predicted: of each row, likewise; answer: a text; objects: a list of {"label", "score", "bbox", "right",
            "wrong"}, the most certain first, where bit n of "right" and "wrong" is whether it is so at an overlap of
            0.50 + 0.05 n (neither on what is not counted).
        confidence: of each prediction, 0 to 1; None where the model gives none. objects: the score of the most certain
            one that is wrong, 0 where none is.
        right: whether each prediction is right; None where that has no meaning.
        scores: (rows, outputs), float32: the logits of classes, the probabilities of labels. None where there are none,
            or where they would take too much memory.
        labels: names of the outputs.
        averaged: of objects, the names of mean average precision, and of that at an overlap of 0.50 and of 0.75.
        details: of each row what its task draws it from (`SupportsDrawnRows`), or None.
        ratios: metrics that are one sum over the rows by another -> what each row adds to the two (rows,): to the right
            rows and to the rows, of an accuracy; to the losses and to the tokens.
        counted: metrics of all texts together -> what each row adds to their counts (rows, counts); those that
            `adapt_core.uncertainty.corpus_scores` has a formula of.
        cost: what `measure` takes for a row, where 1 is to look up a few numbers.
        measure: positions in these sequences, of which some may come several times and others not -> the metrics of
            such a sample. Of all positions, once each, they are those of the evaluation.
    """

    kind: str = attrs.field(validator=attrs.validators.in_(KINDS))
    rows: Sequence[int]
    expected: Sequence[Any]
    predicted: Sequence[Any]
    confidence: Sequence[float] | None = None
    right: Sequence[bool] | None = None
    scores: NDArray[numpy.float32] | None = None
    labels: tuple[str, ...] = ()
    averaged: tuple[str, ...] = ()
    details: Sequence[Any] | None = None
    ratios: Mapping[str, tuple[Addends, Addends]] = attrs.field(factory=dict)
    counted: Mapping[str, NDArray[numpy.int64]] = attrs.field(factory=dict)
    cost: float = 1.0
    measure: Callable[[NDArray[numpy.intp]], Mapping[str, float]]

    def __len__(self) -> int:
        return len(self.rows)


def softmax(logits: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Return probabilities (rows, classes)."""
    import numpy

    raised = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return numpy.asarray(raised / raised.sum(axis=1, keepdims=True))


def sums(table: NDArray[Any], sample: NDArray[numpy.intp]) -> NDArray[numpy.float64]:
    """Return the sums of a sample of rows: (columns,).

    Args:
        table: (rows, columns), what each row adds.
        sample: positions of rows.
    """
    import numpy

    times = numpy.bincount(sample, minlength=len(table)).astype(numpy.float64)
    summed: NDArray[numpy.float64] = times @ table
    return summed


def ratio_measure(
    ratios: Mapping[str, tuple[Addends, Addends]],
) -> Callable[[NDArray[numpy.intp]], Mapping[str, float]]:
    """Return a measure of metrics that are ratios of sums over the rows; 0 where nothing counts.

    Args:
        ratios: see `EvaluatedRows`.
    """
    import numpy

    if not ratios:
        return lambda _sample: {}
    table = numpy.column_stack([each for pair in ratios.values() for each in pair])

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        over, under = sums(table, sample).reshape(-1, 2).T
        return dict(zip(ratios, (over / numpy.where(under > 0, under, 1)).tolist(), strict=True))

    return measure
