"""Temperature scaling (Guo et al., 2017: On calibration of modern neural networks).

Logits are divided by one number, so that no predicted class changes. It minimises the negative log-likelihood of
validation rows, which is convex in its inverse; so its derivative is bisected, in float64. Targets are smoothed as
Platt (1999) does: without that, rows that are all right would have probabilities of 1.
"""

from __future__ import annotations

import math

import numpy
from numpy.typing import NDArray

from adapt_core.evaluated_rows import softmax

Logits = NDArray[numpy.float64]
Classes = NDArray[numpy.int64]

LOWEST, HIGHEST = 0.05, 20.0
"""Bounds of a temperature."""

FEWEST = 50
"""Rows below which no temperature is fitted."""

_STEPS = 100
_SIGNIFICANT = 3.841458820694124
"""The 95 % quantile of chi-squared with one degree of freedom: the likelihood-ratio test of one parameter (Wilks)."""


def fit_temperature(logits: Logits, truth: Classes) -> float:
    """Return the temperature, LOWEST to HIGHEST, with the least negative log-likelihood.

    Args:
        logits: (rows, classes).
        truth: class ids (rows,).
    """
    smoothing = 1 / (len(truth) + 2)
    wanted = (1 - smoothing) * logits[numpy.arange(len(truth)), truth] + smoothing * logits.mean(axis=1)

    def rises(inverse: float) -> bool:
        found = softmax(logits * inverse)
        return float(((found * logits).sum(axis=1) - wanted).mean()) > 0

    low, high = math.log(1 / HIGHEST), math.log(1 / LOWEST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if rises(math.exp(middle)) else (middle, high)
        if high - low < 1e-12:
            break
    return math.exp(-(low + high) / 2)


def chosen_temperature(logits: Logits, truth: Classes) -> tuple[float, str]:
    """Return the temperature to use and why it is 1, where it is.

    A temperature is used where its likelihood is better than that of none beyond chance, by the likelihood-ratio test
    at 5 %: what a few rows say of it may be chance.

    Args:
        logits, truth: as `fit_temperature` takes them.
    """
    rows = len(truth)
    if rows < FEWEST:
        return 1.0, f"{rows} validation rows are too few to fit a temperature on ({FEWEST} or more)"
    if logits.shape[1] < 2 or not numpy.isfinite(logits).all():
        return 1.0, "one class, or logits that are not finite"
    found = fit_temperature(logits, truth)
    gain = 2 * rows * (negative_log_likelihood(logits, truth) - negative_log_likelihood(logits / found, truth))
    if gain < _SIGNIFICANT:
        return 1.0, f"a temperature of {found:.3g} fits the {rows} validation rows no better than none, beyond chance"
    return found, ""


def negative_log_likelihood(logits: Logits, truth: Classes) -> float:
    """Return the mean over rows, in nats."""
    highest = logits.max(axis=1)
    total = highest + numpy.log(numpy.exp(logits - highest[:, None]).sum(axis=1))
    return float((total - logits[numpy.arange(len(truth)), truth]).mean())
