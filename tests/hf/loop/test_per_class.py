"""Scores of each class: the same with few classes and with thousands, whose confusions are not counted."""

from __future__ import annotations

import numpy
import pytest

from adapt_core.evaluation import LARGEST_CONFUSION, KeptEvaluations, PerClass
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


def test_the_best_step_s_table_outlives_equal_scores_of_a_later_one() -> None:
    tables: KeptEvaluations[PerClass] = KeptEvaluations()
    made = {
        0: class_table([0, 0, 1, 1], [1, 1, 0, 0], ("a", "b")),
        10: class_table([0, 0, 1, 1], [0, 0, 0, 0], ("a", "b")),
        20: class_table([0, 0, 1, 1], [1, 1, 1, 1], ("a", "b")),
        30: class_table([0, 0, 1, 1], [1, 1, 0, 1], ("a", "b")),
        40: class_table([0, 0, 1, 1], [1, 1, 1, 0], ("a", "b")),
    }
    accuracy = {0: 0.0, 10: 0.5, 20: 0.5, 30: 0.25, 40: 0.2}
    measured = {step: {"accuracy": value, "loss": 1 - step / 100} for step, value in accuracy.items()}
    for step, table in made.items():
        tables.keep(table, {"accuracy": accuracy[step]}, step=step, best=10 if step > 10 else None)
    found = tables.find(measured[10], measured)
    assert found is made[10]
    assert class_findings(found, "validation")[0].startswith("the model predicts 'a' for all 4")
    assert tables.find(measured[40], measured) is made[40]
    assert tables.find(measured[30], measured) is made[30]
    assert tables.find(measured[0], measured) is None


def test_of_equal_scores_each_step_has_its_own_table_and_a_new_evaluation_the_latest() -> None:
    tables: KeptEvaluations[PerClass] = KeptEvaluations()
    first = class_table([0, 1], [0, 0], ("a", "b"))
    second = class_table([0, 1], [1, 1], ("a", "b"))
    tables.keep(first, {"accuracy": 0.5}, step=10, best=None)
    tables.keep(second, {"accuracy": 0.5}, step=20, best=10)
    measured = {10: {"accuracy": 0.5, "loss": 1.0}, 20: {"accuracy": 0.5, "loss": 2.0}}
    assert tables.find(measured[10], measured) is first
    assert tables.find(measured[20], measured) is second
    assert tables.find({"accuracy": 0.5, "loss": 2.0}, measured) is second
