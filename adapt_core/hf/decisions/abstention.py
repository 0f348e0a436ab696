"""The least confidence at which the rows that a classifier answers have a wanted precision, on fresh rows too.

Of n answered rows with k errors the precision is at least p, at a confidence of 1 - d, where so few errors have a
probability of at most d under a precision of p (Clopper & Pearson, 1934). Trying many confidences until one will do
would find such by chance. So they are tried in a fixed order, from the most confident rows to all of them, and the last
before the first that fails is taken; there are several places to start, among which d is shared (fixed-sequence
testing: Angelopoulos et al., 2021: Learn then test). The order depends on confidences alone.
"""

from __future__ import annotations

import math

import attrs
import numpy

from adapt_core.hf.decisions.reliability import Confidences, Right

RISK = 0.05
"""The probability that a confidence is chosen whose precision is lower than wanted."""

_TRIED = 400
"""Numbers of answered rows that are tried from each start."""


@attrs.frozen(kw_only=True)
class Answered:
    """The rows of a split that reach a least confidence.

    Attributes:
        coverage: their share.
        rows: their number.
        precision: share of them that is right; 0 of none.
        low, high: its 95 % interval (Clopper-Pearson).
    """

    coverage: float
    rows: int
    precision: float
    low: float
    high: float


def least_confidence(confidences: Confidences, right: Right, precision: float) -> float | None:
    """Return the confidence that answers the most rows at a precision; None where these rows do not show any.

    It lies halfway between two confidences that occur next to one another, and is 0 where all rows may be answered.

    Args:
        confidences: of each row's predicted class (rows,).
        right: whether that is its class (rows,).
        precision: that is wanted, between 0 and 1.
    """
    order = numpy.argsort(-confidences, kind="stable")
    ordered, errors = confidences[order], numpy.cumsum(~right[order])
    ends = numpy.flatnonzero(numpy.append(numpy.diff(ordered) != 0, True)) + 1  # rows of each confidence or more
    starts, risk = _starts(len(ordered), precision)
    answered = 0
    for start in starts:
        later = ends[ends >= start]
        steps = later[numpy.unique(numpy.linspace(0, len(later) - 1, min(_TRIED, len(later))).astype(int))]
        for count in steps.tolist():
            if _chance(count, int(errors[count - 1]), 1 - precision) > risk:
                break
            answered = max(answered, count)
    if not answered:
        return None
    return 0.0 if answered == len(ordered) else float((ordered[answered - 1] + ordered[answered]) / 2)


def answered_rows(confidences: Confidences, right: Right, least: float) -> Answered:
    """Return how many rows reach a least confidence, and their precision."""
    taken = right[confidences >= least]
    rows, wrong = len(taken), int((~taken).sum())
    low, high = interval(rows, wrong)
    share = 1 - wrong / rows if rows else 0.0
    return Answered(coverage=rows / max(len(right), 1), rows=rows, precision=share, low=low, high=high)


def interval(rows: int, errors: int) -> tuple[float, float]:
    """Return the 95 % Clopper-Pearson interval of the share of rows that is right; (0, 1) of no rows."""
    if not rows:
        return 0.0, 1.0
    low = 0.0 if errors == rows else 1 - _rate(rows, errors, 0.025)
    high = 1.0 if not errors else 1 - _rate(rows, errors - 1, 0.975)
    return low, high


def fewest_rows(precision: float, risk: float = RISK) -> int:
    """Return how many rows without an error show a precision."""
    return math.ceil(math.log(risk) / math.log(precision))


def _starts(rows: int, precision: float) -> tuple[list[int], float]:
    """Return numbers of rows to start from, each twice the one before, and the risk of each; none of too few rows."""
    starts: list[int] = []
    risk = RISK
    while True:
        share = RISK / (len(starts) + 1)
        first = fewest_rows(precision, share)
        if first * 2 ** len(starts) > rows:
            return starts, risk
        starts, risk = [first * 2**number for number in range(len(starts) + 1)], share


def _rate(rows: int, errors: int, chance: float) -> float:
    """Return the rate of errors under which at most so many errors have a chance."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(rows, errors, middle) > chance else (low, middle)
    return (low + high) / 2


def _chance(rows: int, errors: int, rate: float) -> float:
    """Return the probability of at most so many errors among rows, each an error at a rate (binomial)."""
    if errors >= rows or rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    counts = numpy.arange(errors + 1)
    # log(n! / k! / (n - k)!) as sums of logs: numpy has no log-gamma
    steps = numpy.log(rows - counts[:-1]) - numpy.log(counts[1:])
    binomials = numpy.concatenate([[0.0], numpy.cumsum(steps)])
    return float(numpy.exp(binomials + counts * math.log(rate) + (rows - counts) * math.log1p(-rate)).sum())
