"""Rows drawn with replacement (Efron, 1979), as often as the cost of a draw allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapt_core.evaluated_rows import EvaluatedRows

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

LEAST, MOST = 200, 2000
"""Draws. From 1,000 on an end of an interval barely moves with the seed (Efron and Tibshirani, 1993); 200 of very many
rows leave it uncertain by a tenth of the interval's length, which is small there."""

WORK = 20_000_000
"""Rows that are looked up in all draws together, up to which there are MOST of them: some seconds."""


def draws(rows: EvaluatedRows, most: int = MOST) -> int:
    """Return how many times rows are drawn. It depends on nothing but the rows, so that a run can be repeated.

    Args:
        rows: of an evaluation.
        most: draws, of few rows.
    """
    return int(min(most, max(LEAST, WORK // max(1.0, len(rows) * rows.cost))))


def samples(count: int, times: int, seed: int) -> Iterator[NDArray[numpy.intp]]:
    """Yield the positions of `count` rows drawn with replacement, `times` times. No global random state is touched."""
    import numpy

    generator = numpy.random.default_rng(seed)
    for _ in range(times):
        yield generator.integers(0, count, count, dtype=numpy.intp)
