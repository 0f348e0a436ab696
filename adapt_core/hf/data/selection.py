"""Rows chosen at random, by a seed and by classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy


def held_out(strata: Sequence[Hashable], share: float, seed: int) -> list[int]:
    """Return the rows to hold out: the same share of each class, and one at least of a class with two rows or more.

    One of each class that the share would leave out comes on top only as long as that does not double the share.

    Args:
        strata: the class of each row.
        share: above 0 and below 1.
        seed: of the random choice.
    """
    random = numpy.random.default_rng(seed)
    rows = _by_class(strata)
    counts = {stratum: min(round(len(members) * share), len(members) - 1) for stratum, members in rows.items()}
    left_out = [stratum for stratum, count in counts.items() if count == 0 and len(rows[stratum]) > 1]
    if sum(counts.values()) + len(left_out) <= max(1, 2 * share * len(strata)):
        counts.update(dict.fromkeys(left_out, 1))
    held: list[int] = []
    for stratum in sorted(rows, key=str):
        held.extend(int(row) for row in random.permutation(rows[stratum])[: counts[stratum]])
    if not held and len(strata) > 1:
        largest = max(rows.values(), key=len)
        held = [int(random.choice(largest))] if len(largest) > 1 else []
    return held


def sample(count: int, wanted: int, seed: int, strata: Sequence[Hashable] | None = None) -> list[int]:
    """Return a random choice of rows, in their order.

    Where a plain choice would miss a class for which there is room, each class gets its share of the rows and one at
    least.

    Args:
        count: of rows.
        wanted: below count.
        seed: of the random choice.
        strata: the class of each row; None chooses without regard to classes.
    """
    chosen = numpy.random.default_rng(seed).choice(count, size=wanted, replace=False)
    if strata is not None:
        rows = _by_class(strata)
        if len({strata[row] for row in chosen}) < len(rows) <= wanted:
            return _share_out(rows, wanted, seed)
    return sorted(int(row) for row in chosen)


def _share_out(rows: dict[Hashable, list[int]], wanted: int, seed: int) -> list[int]:
    random = numpy.random.default_rng(seed)
    counts = _counts({stratum: len(members) for stratum, members in rows.items()}, wanted)
    chosen = (random.permutation(rows[stratum])[: counts[stratum]] for stratum in sorted(rows, key=str))
    return sorted(int(row) for members in chosen for row in members)


def _counts(sizes: Mapping[Hashable, int], wanted: int) -> dict[Hashable, int]:
    """Return how many rows of each class to take: its share by the largest remainder, and one at least.

    The classes that get one on top of their share take it from those with most above theirs.
    """
    total = sum(sizes.values())
    shares = {stratum: size * wanted / total for stratum, size in sizes.items()}
    counts = {stratum: max(1, size * wanted // total) for stratum, size in sizes.items()}
    by_lack = sorted(shares, key=lambda stratum: shares[stratum] - counts[stratum], reverse=True)
    missing = wanted - sum(counts.values())
    for stratum in by_lack[: max(missing, 0)]:
        counts[stratum] += 1
    for _ in range(-missing):
        counts[max((one for one in counts if counts[one] > 1), key=lambda one: counts[one] - shares[one])] -= 1
    return counts


def _by_class(strata: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, stratum in enumerate(strata):
        rows[stratum].append(row)
    return rows
