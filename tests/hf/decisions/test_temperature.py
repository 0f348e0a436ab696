"""The temperature of logits: the least likelihood that scipy finds, and used only where it is better beyond chance."""

from __future__ import annotations

import numpy
import pytest

from adapt_core.hf.decisions.temperature import (
    FEWEST,
    HIGHEST,
    LOWEST,
    chosen_temperature,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)


def drawn(rows: int, classes: int, temperature: float, seed: int = 0) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Logits, and classes drawn from the probabilities that they have at a temperature."""
    chance = numpy.random.default_rng(seed)
    logits = chance.normal(0, 3, (rows, classes))
    chances = softmax(logits / temperature).cumsum(axis=1)
    truth = (chance.random((rows, 1)) > chances).sum(axis=1)
    return logits, numpy.minimum(truth, classes - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.7, 4.0])
def test_it_finds_the_temperature_that_the_classes_were_drawn_with(temperature: float) -> None:
    assert fit_temperature(*drawn(20_000, 4, temperature)) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize(("classes", "temperature"), [(2, 2.0), (5, 0.7), (40, 3.0)])
def test_it_is_the_minimum_that_scipy_finds(classes: int, temperature: float) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    logits, truth = drawn(300, classes, temperature)
    share = 1 / (len(truth) + 2)
    targets = (1 - share) * numpy.eye(classes)[truth] + share / classes

    def loss(inverse: float) -> float:
        return float(-(targets * numpy.log(softmax(logits * inverse))).sum(axis=1).mean())

    least = optimize.minimize_scalar(loss, bounds=(1 / HIGHEST, 1 / LOWEST), method="bounded", options={"xatol": 1e-9})
    assert fit_temperature(logits, truth) == pytest.approx(1 / least.x, rel=1e-4)


def test_it_equals_torch_s_loss_at_the_logits_divided_by_it() -> None:
    torch = pytest.importorskip("torch")
    logits, truth = drawn(200, 3, 2.0)
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits) / 2.5, torch.from_numpy(truth))
    assert negative_log_likelihood(logits / 2.5, truth) == pytest.approx(float(expected), abs=1e-12)


def test_it_is_within_bounds_where_every_row_is_right_or_wrong() -> None:
    logits = numpy.array([[4.0, 0.0]] * 100)
    right = fit_temperature(logits, numpy.zeros(100, dtype=int))
    assert LOWEST <= right <= 1
    assert softmax(logits / right).max() < 1 - 1 / 300  # a row of about a hundred may still be wrong
    assert fit_temperature(logits, numpy.ones(100, dtype=int)) == pytest.approx(HIGHEST)


def test_it_is_1_where_the_rows_are_too_few() -> None:
    found, reason = chosen_temperature(*drawn(FEWEST - 1, 3, 4.0))
    assert found == 1
    assert f"{FEWEST - 1} validation rows are too few" in reason


def test_it_is_1_where_the_model_is_calibrated_already() -> None:
    found, reason = chosen_temperature(*drawn(400, 3, 1.0, seed=1))
    assert found == 1
    assert "no better than none" in reason


def test_it_is_used_by_chance_in_about_one_of_twenty_calibrated_models() -> None:
    used = sum(chosen_temperature(*drawn(300, 3, 1.0, seed))[0] != 1 for seed in range(100))
    assert 1 <= used <= 13


def test_it_leaves_logits_alone_that_are_not_finite() -> None:
    logits, truth = drawn(100, 3, 2.0)
    logits[3, 1] = numpy.nan
    assert chosen_temperature(logits, truth)[0] == 1
