"""ECE: as torchmetrics computes it, zero where confidence is accuracy, and its bins hold all rows."""

from __future__ import annotations

import numpy
import pytest

from adapt_core.hf.decisions.reliability import BINS, adaptive_reliability, calibration_error, reliability


def test_it_equals_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("torchmetrics.functional.classification")
    chance = numpy.random.default_rng(1)
    logits = torch.from_numpy(chance.normal(0, 2, (500, 4)))
    truth = torch.from_numpy(chance.integers(0, 4, 500))
    probabilities = logits.softmax(dim=-1)
    expected = metrics.multiclass_calibration_error(probabilities, truth, num_classes=4, n_bins=BINS, norm="l1")
    confidences, best = (each.numpy() for each in probabilities.max(dim=-1))
    assert calibration_error(reliability(confidences, best == truth.numpy())) == pytest.approx(
        float(expected), abs=1e-6
    )


def test_it_is_the_distance_of_confidence_and_accuracy() -> None:
    confidences = numpy.full(10, 0.9)
    right = numpy.arange(10) < 6
    assert calibration_error(reliability(confidences, right)) == pytest.approx(0.3)
    assert calibration_error(adaptive_reliability(confidences, right)) == pytest.approx(0.42)  # ten bins of one row


def test_bins_hold_each_row_once() -> None:
    confidences = numpy.append(numpy.linspace(0, 1, 61), [1.0, 0.0])
    right = numpy.ones(63, dtype=bool)
    for bins in (reliability(confidences, right), adaptive_reliability(confidences, right)):
        assert len(bins) == BINS
        assert sum(each["rows"] for each in bins) == 63


def test_no_rows_have_no_error() -> None:
    assert calibration_error(reliability(numpy.zeros(0), numpy.zeros(0, dtype=bool))) == 0
