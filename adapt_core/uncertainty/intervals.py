"""95 % bootstrap intervals of metrics.

They are bias-corrected and accelerated (BCa; Efron, 1987: Better Bootstrap Confidence Intervals), widened for few rows
as Student's t widens those of a mean (Hesterberg, 2015: What Teachers Should Know About the Bootstrap).
`benchmarks/intervals.py` measures how often they hold the truth.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

import attrs

from adapt_core.evaluated_rows import EvaluatedRows, ratio_measure
from adapt_core.uncertainty.resampling import LEAST, MOST, draws, samples

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Values: TypeAlias = NDArray[numpy.float64]

Interval: TypeAlias = "list[float]"
"""[low, high]."""

_OUTSIDE = 0.025
_GROUPS = 50
"""Groups of rows that are left out in turn, for the acceleration."""
_NORMAL = NormalDist()

log = logging.getLogger(__name__)


@attrs.frozen
class Effort:
    """What the intervals of one evaluation may take.

    Attributes:
        draws: at most.
        seconds: that all draws may take, foreseen from one of them.
        level: of the log, at which it is told what has no interval for this reason.
    """

    draws: int
    seconds: float
    level: int = logging.DEBUG


WHOLE = Effort(MOST, 30.0, logging.INFO)
"""Of the evaluations that a run ends with."""

BRIEF = Effort(LEAST, 1.0)
"""Of each evaluation before and during training, whose time hardly grows: of 10,000 rows and five classes by 0.1 s. An
end is uncertain by a tenth of the interval's length."""


def intervals_of(
    found: Sequence[EvaluatedRows], metrics: Mapping[str, float], seed: int, effort: Effort = WHOLE
) -> dict[str, Interval]:
    """Return metric -> its interval, of the metrics of an evaluation, in their order.

    Args:
        found: what the evaluation found of rows; nothing where it was not kept.
        metrics: of the evaluation.
        seed: of the draws.
        effort: what they may take.
    """
    measured = {name: interval for rows in found for name, interval in intervals(rows, seed, effort).items()}
    return {name: measured[name] for name in metrics if name in measured}


def intervals(rows: EvaluatedRows, seed: int, effort: Effort = WHOLE) -> dict[str, Interval]:
    """Return metric -> its interval.

    Where a measurement takes so long that all draws would take more than the effort (metrics of METRICS that read
    each text again), only metrics that are ratios of sums over the rows have one. What an interval is never depends on
    that time, only whether there is one.

    A metric has none where it is the same for all draws (all rows are right: there is nothing to draw from), where it
    is not finite for one of them, or where there are fewer than two rows.

    Args:
        rows: of an evaluation.
        seed: of the draws.
        effort: what they may take.
    """
    import numpy

    count = len(rows)
    if count < 2:
        return {}
    every, times, measure = numpy.arange(count), draws(rows, effort.draws), rows.measure
    measured = measure(every)  # the first may import what it needs
    foreseen = times * min(_seconds(measure, every) for _ in range(2))
    if foreseen > effort.seconds:
        left = ", ".join(name for name in measured if name not in rows.ratios)
        log.log(effort.level, "no intervals of %s: they would take %.0f s.", left, foreseen)
        measure = ratio_measure(rows.ratios)
        measured = measure(every)
    drawn = _values(measured, [measure(sample) for sample in samples(count, times, seed)])
    shuffled = numpy.random.default_rng(seed).permutation(count)
    groups = numpy.array_split(shuffled, min(count, _GROUPS))
    left_out = _values(measured, [measure(numpy.delete(every, group)) for group in groups])
    found = {}
    for name, value in measured.items():
        if not numpy.isfinite([value, *drawn[name], *left_out[name]]).all() or numpy.ptp(drawn[name]) == 0:
            continue
        found[name] = _accelerated(value, drawn[name], left_out[name], count)
    return found


def _seconds(measure: Callable[[NDArray[numpy.intp]], object], every: NDArray[numpy.intp]) -> float:
    """Return the processor time of a measurement, which other processes hardly change."""
    started = time.thread_time()
    measure(every)
    return time.thread_time() - started


def _values(names: Mapping[str, float], measured: Sequence[Mapping[str, float]]) -> dict[str, Values]:
    import numpy

    return {name: numpy.array([one[name] for one in measured], dtype=numpy.float64) for name in names}


def _accelerated(value: float, drawn: Values, left_out: Values, count: int) -> Interval:
    """Return the BCa interval of a value.

    Args:
        value: of all rows.
        drawn: of each draw.
        left_out: of all rows but one group, for each group.
        count: rows.
    """
    import numpy

    below = float((drawn < value).mean() + (drawn == value).mean() / 2)
    least = 1 / (2 * len(drawn))
    bias = _NORMAL.inv_cdf(min(max(below, least), 1 - least))
    apart = left_out.mean() - left_out
    size = float((apart**2).sum()) ** 1.5
    acceleration = float((apart**3).sum()) / (6 * size) if size else 0.0
    wide = _t_quantile(1 - _OUTSIDE, count - 1) * math.sqrt(count / (count - 1))
    ends = []
    for normal in (-wide, wide):
        moved = bias + normal
        ends.append(_NORMAL.cdf(bias + moved / (1 - acceleration * moved)))
    low, high = numpy.quantile(drawn, sorted(ends)).tolist()
    return [min(low, value), max(high, value)]


def _t_quantile(share: float, freedom: int) -> float:
    """Return a quantile of Student's t by its expansion at the normal one (scipy's import takes a second of a run)."""
    z = _NORMAL.inv_cdf(share)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2
