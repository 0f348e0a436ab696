"""What an evaluation finds of each row with several labels, or numbers."""

from __future__ import annotations

import numpy
import pytest

TRUTH = numpy.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
SCORES = numpy.array([[0.9, 0.2], [0.1, 0.6], [0.8, 0.7]])


def test_labels_come_by_name_with_the_confidence_of_the_least_certain_one() -> None:
    pytest.importorskip("transformers")
    from adapt_core.hf.problems.label_rows import label_rows
    from adapt_core.hf.problems.scores import label_scores

    predicted = (SCORES >= 0.5).astype(float)
    rows = label_rows(("new", "used"), TRUTH, predicted, SCORES)
    assert rows.expected == [["new"], [], ["new", "used"]]
    assert rows.predicted == [["new"], ["used"], ["new", "used"]]
    assert rows.right == [True, False, True]
    assert rows.confidence == pytest.approx([0.8, 0.6, 0.7])
    assert rows.scores is not None
    assert (rows.scores == SCORES.astype(numpy.float32)).all()
    assert rows.measure(numpy.arange(3)) == label_scores(TRUTH, predicted, SCORES)
    assert rows.measure(numpy.array([1, 1]))["subset_accuracy"] == 0.0


def test_numbers_have_no_right_and_wrong() -> None:
    pytest.importorskip("transformers")
    from adapt_core.hf.problems.label_rows import number_rows
    from adapt_core.hf.problems.scores import number_scores

    rows = number_rows(("width", "height"), TRUTH, SCORES)
    assert (rows.expected, rows.predicted) == (TRUTH.tolist(), SCORES.tolist())
    assert rows.right is None
    assert rows.confidence is None
    assert rows.measure(numpy.arange(3)) == number_scores(TRUTH, SCORES)
