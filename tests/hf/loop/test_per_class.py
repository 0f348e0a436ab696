"""Scores of each class: the same with few classes and with thousands, whose confusions are not counted."""

from __future__ import annotations

import numpy
import pytest

from adapt_core.evaluation import LARGEST_CONFUSION
from adapt_core.hf.loop.per_class import class_table
from adapt_core.verification.predictions import class_findings


def test_the_confusions_of_few_classes_are_counted() -> None:
    table = class_table([0, 0, 1, 2], [0, 1, 1, 1], ("a", "b", "c"))
    assert table.confusion == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert (table.true, table.predicted, table.right) == ([2, 1, 1], [1, 3, 0], [1, 1, 0])
    assert table.figures["precision"] == pytest.approx([1, 1 / 3, 0])
    assert table.figures["recall"] == pytest.approx([1 / 2, 1, 0])
    assert table.figures["f1"] == pytest.approx([2 / 3, 1 / 2, 0])


def test_ten_thousand_classes_take_no_square_of_them() -> None:
    """Their confusions as Python lists are more than a gigabyte, at every evaluation."""
    import tracemalloc

    names = tuple(f"c{number}" for number in range(10_000))
    truth = numpy.arange(10_000)
    tracemalloc.start()
    table = class_table(truth, numpy.where(truth % 2, truth, 0), names)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20
    assert table.confusion is None
    assert table.figures["rows"] == [1] * 10_000
    assert sum(table.right or ()) == 5001
    assert class_findings(table, "validation") == []


def test_the_findings_on_many_classes_are_those_on_few() -> None:
    many = tuple(f"c{number}" for number in range(LARGEST_CONFUSION + 1))
    one = class_table([0, 1, 2, 2], [2, 2, 2, 2], many)
    assert one.confusion is None
    assert class_findings(one, "test")[0].startswith(
        "the model predicts 'c2' for all 4 of the test split (2 are right)"
    )
    no_better = class_table([0, 1, 2, 2], [0, 1, 1, 0], many)
    assert "no better than always answering 'c2' (2)" in class_findings(no_better, "test")[0]
