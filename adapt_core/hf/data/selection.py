"""Rows chosen at random, by a seed and by classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy
from numpy.typing import NDArray


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


def held_out_groups(strata: Sequence[Hashable], groups: Sequence[Hashable], share: float, seed: int) -> list[int]:
    """Return the rows to hold out, whole groups of them: about the share of each class.

    Groups are tried in a random order, and one is taken where that brings the counts of classes held out nearer to
    their shares (the sum over classes of the squared distance from the share, as a part of the class). A row whose
    group is None is a group of its own. One group is held out at least, and one is kept.

    Args:
        strata: the class of each row.
        groups: the group of each row.
        share: above 0 and below 1.
        seed: of the random order.
    """
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows[("alone", row) if group is None else ("group", group)].append(row)
    if len(rows) < 2:
        return []
    names = list(dict.fromkeys(strata))
    column = {name: number for number, name in enumerate(names)}
    counts = numpy.zeros((len(rows), len(names)))
    for number, members in enumerate(rows.values()):
        for row in members:
            counts[number, column[strata[row]]] += 1
    every = counts.sum(axis=0)
    held = numpy.zeros(len(names))
    chosen: list[int] = []

    def distance(of: NDArray[numpy.float64]) -> float:
        return float((((of - share * every) / every) ** 2 * every).sum())

    order = [int(number) for number in numpy.random.default_rng(seed).permutation(len(rows))]
    for number in order:
        if len(chosen) < len(rows) - 1 and distance(held + counts[number]) < distance(held):
            chosen.append(number)
            held = held + counts[number]
    if not chosen:  # every group is larger than the share: the one that comes nearest
        chosen = [min(order, key=lambda number: distance(counts[number]))]
    every_group = list(rows.values())
    return sorted(row for number in chosen for row in every_group[number])


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
