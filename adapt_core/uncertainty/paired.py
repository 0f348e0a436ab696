"""Whether two runs differ on the same rows: approximate randomization.

Under the hypothesis that both predict equally well, which of the two answered a row one way and which the other is
chance: the answers of each row are exchanged at random, many times, and p is the share of exchanges with at least the
difference that was seen (Noreen, 1989; for metrics of language tasks Yeh, 2000). `benchmarks/paired_test.py` sets it
beside repeated runs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from adapt_core.uncertainty.kept_rows import KeptRows

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Sums: TypeAlias = NDArray[numpy.float64]

LEVEL = 0.05
"""Below this p two runs are said to differ."""

_LEAST, _MOST, _WORK = 1_000, 10_000, 50_000_000
_AT_ONCE = 4_000_000
_ROUNDING = 1e-12

MOST_COUNTS = 10_000_000
"""Rows x classes up to which macro-F1 is tested: some seconds, and a gigabyte."""


@attrs.frozen
class PairedTest:
    """One metric of two runs on the same rows: the second's minus the first's, and p."""

    difference: float
    p: float


def rows_in_common(one: KeptRows, other: KeptRows) -> int:
    """Return how many rows two runs have in common; rows that are alike count as often as both have them."""
    return sum((Counter(one.ids) & Counter(other.ids)).values())


def paired_tests(one: KeptRows, other: KeptRows, seed: int = 0) -> dict[str, PairedTest]:
    """Return metric -> its test, for metrics that both have, that are finite, and that follow from sums over rows.

    Args:
        one, other: rows of two runs, the same ones in any order.
        seed: of the exchanges.
    """
    first, second = _order(one), _order(other)
    found = {}
    for name, (table, metric) in _tables(one, other, first, second).items():
        test = _test(*table, metric, seed)
        if test is not None:
            found[name] = test
    return found


def _order(rows: KeptRows) -> NDArray[numpy.intp]:
    import numpy

    return numpy.argsort(numpy.array(rows.ids), kind="stable")


Tables: TypeAlias = "tuple[tuple[Sums, Sums], Callable[[Sums], Sums]]"


def _tables(one: KeptRows, other: KeptRows, first: Any, second: Any) -> Mapping[str, Tables]:
    """Return metric -> what each row adds to its sums, in both runs, and the metric of sums (draws, columns)."""
    import numpy

    found: dict[str, Tables] = {}
    for name in one.ratios:
        if name in other.ratios:
            pair = tuple(
                numpy.column_stack(rows.ratios[name])[order].astype(float)
                for rows, order in ((one, first), (other, second))
            )
            found[name] = (pair[0], pair[1]), _ratio
    if one.kind == other.kind == "class":
        names = sorted({*one.columns["expected"], *one.columns["predicted"], *other.columns["predicted"]})
        if len(one) * len(names) <= MOST_COUNTS:
            found["macro_f1"] = (_counts(one, first, names), _counts(other, second, names)), _macro_f1
    return found


def _ratio(sums: Sums) -> Sums:
    import numpy

    shares: Sums = sums[:, 0] / numpy.where(sums[:, 1] > 0, sums[:, 1], 1)
    return shares


def _counts(rows: KeptRows, order: Any, names: list[str]) -> Sums:
    """Return what each row adds to the rows, the predictions and the right predictions of each class: (rows, 3 n)."""
    import numpy

    number_of = {name: number for number, name in enumerate(names)}
    each = numpy.eye(len(names))
    true, found = (
        each[[number_of[name] for name in rows.columns[column]]][order] for column in ("expected", "predicted")
    )
    return numpy.hstack([true, found, true * found])


def _macro_f1(sums: Sums) -> Sums:
    import numpy

    true, found, both = numpy.split(sums, 3, axis=1)
    occurs = true + found > 0
    each = numpy.where(occurs, 2 * both / numpy.where(occurs, true + found, 1), 0)
    means: Sums = each.sum(axis=1) / occurs.sum(axis=1)
    return means


def _test(one: Sums, other: Sums, metric: Callable[[Sums], Sums], seed: int) -> PairedTest | None:
    """Return the test of a metric; None where it is not finite, as the loss of a run that diverged."""
    import numpy

    generator = numpy.random.default_rng(seed)
    count = len(one)
    totals, apart = (one.sum(axis=0), other.sum(axis=0)), other - one
    moves = numpy.flatnonzero(numpy.abs(apart).sum(axis=1))
    seen = float(metric(totals[1][None])[0] - metric(totals[0][None])[0])
    if not math.isfinite(seen):
        return None
    draws = int(min(_MOST, max(_LEAST, _WORK // max(1, count))))
    reached, left = 0, draws
    while left and len(moves):
        some = min(left, max(1, _AT_ONCE // len(moves)))
        exchanged = generator.integers(0, 2, (some, len(moves))).astype(numpy.float64) @ apart[moves]
        difference = metric(totals[1] - exchanged) - metric(totals[0] + exchanged)
        reached += int((abs(difference) >= abs(seen) - _ROUNDING).sum())
        left -= some
    reached = reached if len(moves) else draws
    return PairedTest(seen, (1 + reached) / (1 + draws))
