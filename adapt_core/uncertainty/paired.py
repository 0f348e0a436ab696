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

from adapt_core.uncertainty.corpus_scores import FORMULAS
from adapt_core.uncertainty.kept_rows import KeptRows
from adapt_core.uncertainty.matched_objects import matches_of, mean_precisions

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Sums: TypeAlias = NDArray[numpy.float64]

LEVEL = 0.05
"""Below this p two runs are said to differ."""

_LEAST, _MOST, _WORK = 1_000, 10_000, 50_000_000
_AT_ONCE = 4_000_000
_ROUNDING = 1e-12

_LEAST_OF_OBJECTS, _MOST_OF_OBJECTS, _WORK_OF_OBJECTS = 200, 1_000, 8_000_000

MOST_OBJECTS = 200_000
"""Predictions of two runs together up to which mean average precision is tested: half a minute."""

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
    if one.kind == other.kind == "objects" and one.averaged == other.averaged:
        found |= _objects_test(one, other, (first, second), seed)
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
    for name in one.counted:
        if name in other.counted and name in FORMULAS and one.counted[name].shape == other.counted[name].shape:
            found[name] = (one.counted[name][first], other.counted[name][second]), FORMULAS[name]
    if one.kind == other.kind == "class":
        names = sorted({*one.columns["expected"], *one.columns["predicted"], *other.columns["predicted"]})
        if len(one) * len(names) <= MOST_COUNTS:
            found["macro_f1"] = (_counts(one, first, names), _counts(other, second, names)), _macro_f1
    return found


def _objects_test(one: KeptRows, other: KeptRows, orders: Any, seed: int) -> dict[str, PairedTest]:
    """Return the tests of mean average precision: all that was predicted of an image is exchanged.

    Average precision is no function of sums: each draw is measured as a set of images is, half of them with what the
    one run predicts and half with what the other does.

    Args:
        one, other: rows of two runs.
        orders: in which each has the same images.
        seed: of the exchanges.
    """
    import numpy

    expected, predicted = (
        [rows.columns[name][row] for rows, order in zip((one, other), orders, strict=True) for row in order.tolist()]
        for name in ("expected", "predicted")
    )
    count = sum(map(len, predicted))
    if not 0 < count <= MOST_OBJECTS:
        return {}
    matches = matches_of(expected, predicted)
    generator = numpy.random.default_rng(seed)

    def difference(exchanged: Any) -> Any:
        """Return the other's figures minus the one's, where the images of `exchanged` have changed sides."""
        times = numpy.concatenate([exchanged, 1.0 - exchanged]), numpy.concatenate([1.0 - exchanged, exchanged])
        return numpy.array(mean_precisions(matches, times[0])) - numpy.array(mean_precisions(matches, times[1]))

    seen = difference(numpy.zeros(len(one)))
    draws = int(min(_MOST_OF_OBJECTS, max(_LEAST_OF_OBJECTS, _WORK_OF_OBJECTS // count)))
    reached = sum(
        abs(difference(generator.integers(0, 2, len(one)).astype(float))) >= abs(seen) - _ROUNDING for _ in range(draws)
    )
    return {
        name: PairedTest(float(each), float(1 + hits) / (1 + draws))
        for name, each, hits in zip(one.averaged, seen, reached, strict=True)
    }


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
