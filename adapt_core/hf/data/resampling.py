"""Rows that an epoch shows more or less often than once, for classes that are rare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

Classes = Sequence[Hashable]
"""The classes of a row."""

_NONE = ("without a class",)
_ROUNDING = 1e-6
POWERS = {"balanced": 0.0, "square_root": 0.5}
"""CLASS_SAMPLING -> q, by which a class of n rows has a share of n^q of an epoch (Kang et al., 2020)."""


@attrs.frozen(eq=False)
class Shares:
    """How often an epoch shows each row.

    Attributes:
        expected: float64 (rows,), the mean over epochs.
        group: int64 (rows,). The rows of a group are shown as often as their sum says, to within one.
    """

    expected: NDArray[numpy.float64]
    group: NDArray[numpy.int64]

    def __len__(self) -> int:
        """Return the number of rows that an epoch shows."""
        return int(self.expected.sum() + _ROUNDING)

    def drawn(self, *key: int) -> NDArray[numpy.int64]:
        """Return the number of each row that an epoch shows, in a random order; a row may come again.

        A row with 2.3 comes twice, and which of them come a third time is a systematic sample (Madow, 1949).

        Args:
            key: what the draw depends on, such as seed and epoch; numbers from 0.
        """
        random = numpy.random.default_rng(list(key))
        mixed = random.permutation(len(self.expected))
        order = mixed[numpy.argsort(self.group[mixed], kind="stable")]
        whole = numpy.floor(self.expected + _ROUNDING).astype(numpy.int64)
        ends = numpy.cumsum((self.expected - whole).clip(min=0.0)[order])
        further = max(len(self) - int(whole.sum()), 0)
        points = (numpy.arange(further) + random.random()) * (ends[-1] / max(further, 1))
        found = order[numpy.searchsorted(ends, points, side="right").clip(max=len(order) - 1)]
        return random.permutation(numpy.concatenate([numpy.repeat(numpy.arange(len(whole)), whole), found]))


def class_balanced(rows: Sequence[Classes], power: float) -> Shares:
    """Return shares by which classes of n rows have shares of n to the power of `power`, in as many rows in all.

    "Decoupling representation and classifier for long-tailed recognition" (Kang et al., 2020, arXiv:1910.09217). A row
    of several classes is shown as its rarest; rows without a class are a class of their own.

    Args:
        rows: the classes of each.
        power: 0 for equal classes, 0.5 for their square roots, 1 for each row once.
    """
    held = [tuple(classes) or _NONE for classes in rows]
    counts = Counter(one for classes in held for one in classes)
    rarest = [min(classes, key=lambda one: counts[one]) for classes in held]
    weights = numpy.array([counts[one] ** (power - 1.0) for one in rarest], dtype=numpy.float64)
    return Shares(weights * (len(held) / weights.sum()), _numbered(rarest))


def repeat_factors(rows: Sequence[Classes], threshold: float) -> Shares:
    """Return shares by which rows with a class in less than `threshold` of all rows come again.

    "LVIS: a dataset for large vocabulary instance segmentation" (Gupta et al., 2019, arXiv:1908.03195): a class in a
    share f of the rows repeats them sqrt(threshold / f) times, and a row comes as often as its rarest class says, once
    at least.

    Args:
        rows: the classes of each.
        threshold: above 0, at most 1.
    """
    held = [frozenset(classes) for classes in rows]
    counts = Counter(one for classes in held for one in classes)
    factor = {one: max(1.0, (threshold * len(held) / count) ** 0.5) for one, count in counts.items()}
    expected = [max((factor[one] for one in classes), default=1.0) for classes in held]
    rarest = [min(sorted(classes, key=str), key=lambda one: counts[one], default=_NONE) for classes in held]
    return Shares(numpy.array(expected, dtype=numpy.float64), _numbered(rarest))


def with_repeats(rows: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """Return how often each row came before it in the same list, int64 (rows,): 0 for the first time."""
    order = numpy.argsort(rows, kind="stable")
    ordered = rows[order]
    first = numpy.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(rows) else numpy.zeros(0, dtype=bool)
    starts = numpy.maximum.accumulate(numpy.where(first, numpy.arange(len(rows)), 0))
    found = numpy.empty(len(rows), dtype=numpy.int64)
    found[order] = numpy.arange(len(rows)) - starts
    return found


def _numbered(names: Sequence[Hashable]) -> NDArray[numpy.int64]:
    numbers: dict[Hashable, int] = {}
    return numpy.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=numpy.int64)
