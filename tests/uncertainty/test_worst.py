"""The rows of an evaluation that are worth a look."""

from __future__ import annotations

from typing import Any

import numpy

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.uncertainty.worst import SHOWN, shown_row, worst_rows


def rows_of(kind: str, expected: list[Any], predicted: list[Any], **fields: Any) -> EvaluatedRows:
    return EvaluatedRows(
        kind=kind, rows=range(len(expected)), expected=expected, predicted=predicted, measure=lambda _: {}, **fields
    )


def test_mistakes_come_with_the_most_confident_first_and_no_right_row() -> None:
    rows = rows_of(
        "class", ["a"] * 4, ["b", "a", "b", "b"], right=[False, True, False, False], confidence=[0.6, 0.99, 0.9, 0.7]
    )
    [mistakes] = worst_rows(rows)
    assert (mistakes.title, mistakes.positions) == ("most confident mistakes", (2, 3, 0))
    assert shown_row(rows, 2) == {"row": 3, "expected": "a", "predicted": "b", "confidence": 0.9}


def test_of_many_mistakes_the_first_are_listed() -> None:
    count = 5 * SHOWN
    [mistakes] = worst_rows(
        rows_of("tags", [["O"]] * count, [["B"]] * count, right=[False] * count, confidence=[0.5] * count)
    )
    assert mistakes.positions == tuple(range(SHOWN))


def test_without_a_confidence_rows_with_the_worst_value_come_first() -> None:
    values = numpy.array([0.5, 0.1, 0.9]), numpy.ones(3)
    [texts] = worst_rows(rows_of("text", ["x"] * 3, ["y"] * 3, ratios={"rougeL": values}))
    assert (texts.title, texts.positions) == ("rows with the lowest rougeL", (1, 0, 2))
    [numbers] = worst_rows(rows_of("numbers", [[0.0]] * 3, [[1.0]] * 3, ratios={"mse": values}))
    assert (numbers.title, numbers.positions) == ("rows with the highest mse", (2, 0, 1))


def test_tokens_have_none() -> None:
    sums = numpy.ones(2), numpy.ones(2)
    assert worst_rows(rows_of("tokens", [None, None], [None, None], ratios={"loss": sums})) == []


def test_a_swapped_label_is_doubted_and_a_hard_row_is_not() -> None:
    """Row 3 is labelled "a" and looks like every "b"; row 7 is labelled "b", and the model cannot tell."""
    truth = [0, 0, 0, 0, 1, 1, 1, 1]
    logits = numpy.array([[4, 0], [4, 0], [4, 0], [0, 4], [0, 4], [0, 4], [0, 4], [0.1, 0]], dtype=numpy.float32)
    names = ("a", "b")
    predicted = logits.argmax(axis=1)
    lists = worst_rows(
        rows_of(
            "class",
            [names[number] for number in truth],
            [names[number] for number in predicted],
            right=(predicted == truth).tolist(),
            confidence=[0.9] * 8,
            scores=logits,
            labels=names,
        )
    )
    assert {one.title: one.positions for one in lists} == {
        "most confident mistakes": (3, 7),
        "labels that the model doubts": (3,),
    }
