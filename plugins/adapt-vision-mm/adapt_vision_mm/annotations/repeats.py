"""Objects that several files have of one image."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

Object = TypeVar("Object")

Seen = tuple[Hashable, Sequence[float]]
"""What tells an object: its class, and its [x, y, width, height]."""

_TOLERANCE = 1.0
"""Pixels between two sides that tools and rounding make of one."""


def without_repeats(found: Sequence[Object], known: Sequence[Object], tell: Callable[[Object], Seen]) -> list[Object]:
    """Return the objects of a file that no other file has: of another class, or with a side more than a pixel away.

    Each known object is that of one found object at most, the nearest first. Area and outline are not compared: tools
    write them in other ways.

    Args:
        found: the objects of one file.
        known: those of the others.
        tell: gives class and box of an object.
    """
    kinds, boxes = zip(*map(tell, known), strict=True) if known else ((), ())
    pairs = [
        (apart, number, other)
        for number, (kind, box) in enumerate(map(tell, found))
        for other, (known_kind, known_box) in enumerate(zip(kinds, boxes, strict=True))
        if kind == known_kind and (apart := _distance(box, known_box)) <= _TOLERANCE
    ]
    repeated: set[int] = set()
    taken: set[int] = set()
    for _, number, other in sorted(pairs):
        if number not in repeated and other not in taken:
            repeated.add(number)
            taken.add(other)
    return [one for number, one in enumerate(found) if number not in repeated]


def _distance(box: Sequence[float], other: Sequence[float]) -> float:
    """Return the largest distance of a side of two boxes, in pixels."""
    sides = (box[0], box[1], box[0] + box[2], box[1] + box[3])
    others = (other[0], other[1], other[0] + other[2], other[1] + other[3])
    return max(abs(one - two) for one, two in zip(sides, others, strict=True))
