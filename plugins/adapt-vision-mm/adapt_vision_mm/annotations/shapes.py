"""Shapes as annotation tools draw them, with their bounds and outlines in pixels.

A turned rectangle has the bounds of its corners, a circle or an ellipse an outline of chords that are nowhere more than
a tenth of a pixel inside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from adapt_vision_mm.annotations.annotated_split import TOLERANCE, AnnotatedImage

Point = tuple[float, float]

_CHORD = 0.1
"""Pixels between a circle and the middle of a chord of its outline."""
_FEWEST, _MOST = 16, 360
_LARGEST = 1e4
"""Pixels of a radius beyond which no more chords are needed."""
_SHOWN = 40


class ShapeError(ValueError):
    """A shape cannot be used; the message is the reason."""


@attrs.frozen(kw_only=True)
class Shape:
    """A shape.

    Attributes:
        kind: what messages call it ("rectangle"). A "point" and a "line" have no area.
        bounds: left, top, right and bottom.
        outline: of what it covers; empty where only its bounds are known.
        rle: what it covers as COCO's RLE of the whole image, instead of an outline.
    """

    kind: str
    bounds: tuple[float, float, float, float]
    outline: tuple[Point, ...] = ()
    rle: Mapping[str, Any] | None = None

    @property
    def has_area(self) -> bool:
        """Whether it may be an object by itself."""
        return self.kind not in ("point", "line")

    @property
    def is_mask(self) -> bool:
        """Whether it says which pixels it covers."""
        return bool(self.outline) or self.rle is not None

    def require_inside(self, image: AnnotatedImage) -> None:
        """Check that the shape lies in its image, but for a pixel of rounding.

        Raises:
            ShapeError: it does not, or has no area.
        """
        left, top, right, bottom = self.bounds
        if self.has_area and not (right > left and bottom > top):
            raise ShapeError(f"its {self.kind} has no area")
        beyond = image.beyond(*self.bounds)
        if beyond > TOLERANCE:
            raise ShapeError(
                f"its {self.kind} extends {beyond:g} pixels beyond the image ({image.width} x {image.height})"
            )


def read_number(values: Mapping[str, Any], key: str, default: float | None = None) -> float:
    """Return a number of a shape, also one that is written as text.

    Args:
        values: of the shape.
        key: of the number.
        default: where there is none; None where one is needed.

    Raises:
        ShapeError: it is missing, or not a finite number.
    """
    value = values.get(key, default)
    if value is None:
        raise ShapeError(f"it has no {key}")
    return as_number(value, key)


def as_number(value: object, name: str) -> float:
    """Return a value as a number.

    Raises:
        ShapeError: it is not a finite number.
    """
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None:
        raise ShapeError(f"{name} is {shown(value)}, not a number")
    if not math.isfinite(number):
        raise ShapeError(f"{name} is {number}, not a finite number")
    return number


def read_points(values: object, name: str = "points") -> tuple[Point, ...]:
    """Return pairs of numbers.

    Raises:
        ShapeError: it is no list of them.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ShapeError(f"{name} is {shown(values)}, not a list of points [x, y]")
    for value in values:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
            raise ShapeError(f"{name} has {shown(value)}, which is no point [x, y]")
    return tuple((as_number(x, f"{name}: x"), as_number(y, f"{name}: y")) for x, y in values)


def shown(value: object) -> str:
    """Return a value as a message shows it: cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def rectangle(left: float, top: float, right: float, bottom: float) -> Shape:
    """Return an upright rectangle."""
    return Shape(kind="rectangle", bounds=(left, top, right, bottom))


def turned_rectangle(corners: Sequence[float], degrees: float, about: Point | None = None) -> Shape:
    """Return the bounds of a rectangle that is turned clockwise.

    Args:
        corners: left, top, right and bottom before it is turned.
        degrees: 0 for an upright one.
        about: the point that stays; None for its middle.
    """
    left, top, right, bottom = corners
    if degrees % 360 == 0:
        return rectangle(left, top, right, bottom)
    x, y = about or ((left + right) / 2, (top + bottom) / 2)
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    turned = [
        (x + (a - x) * cosine - (b - y) * sine, y + (a - x) * sine + (b - y) * cosine)
        for a, b in ((left, top), (right, top), (right, bottom), (left, bottom))
    ]
    return rectangle(*bounds_of(turned))


def polygon(points: Sequence[Point]) -> Shape:
    """Return a polygon.

    Raises:
        ShapeError: it has fewer than three points.
    """
    if len(points) < 3:
        raise ShapeError(f"a polygon needs at least three points; it has {len(points)}")
    return Shape(kind="polygon", bounds=bounds_of(points), outline=tuple(points))


def line(points: Sequence[Point]) -> Shape:
    """Return an open line, which covers nothing.

    Raises:
        ShapeError: it has no point.
    """
    return Shape(kind="line", bounds=bounds_of(points))


def point(x: float, y: float) -> Shape:
    """Return a point."""
    return Shape(kind="point", bounds=(x, y, x, y))


def ellipse(middle: Point, radii: tuple[float, float], degrees: float = 0.0) -> Shape:
    """Return an ellipse, or a circle.

    Args:
        middle: its centre.
        radii: along its own axes, which are those of the image where it is not turned.
        degrees: by which it is turned clockwise.

    Raises:
        ShapeError: a radius is not above 0.
    """
    across, down = radii
    kind = "circle" if across == down else "ellipse"
    if not (across > 0 and down > 0):
        raise ShapeError(f"the radius of its {kind} is {min(radii):g}; it is above 0")
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    half = math.hypot(across * cosine, down * sine), math.hypot(across * sine, down * cosine)
    largest = min(max(across, down), _LARGEST)
    needed = math.ceil(math.pi / math.acos(1 - _CHORD / largest)) if largest > _CHORD else _FEWEST
    count = min(max(needed, _FEWEST), _MOST)
    angles = (2 * math.pi * number / count for number in range(count))
    drawn = [(across * math.cos(angle), down * math.sin(angle)) for angle in angles]
    x, y = middle
    return Shape(
        kind=kind,
        bounds=(x - half[0], y - half[1], x + half[0], y + half[1]),
        outline=tuple((x + a * cosine - b * sine, y + a * sine + b * cosine) for a, b in drawn),
    )


def bitmap(rle: Mapping[str, Any], box: Sequence[float]) -> Shape:
    """Return a shape of pixels.

    Args:
        rle: COCO's, of the whole image.
        box: its [x, y, width, height].
    """
    left, top, width, height = map(float, box)
    return Shape(kind="mask", bounds=(left, top, left + width, top + height), rle=rle)


def bounds_of(points: Iterable[Point]) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of points.

    Raises:
        ShapeError: there is none.
    """
    known = list(points)
    if not known:
        raise ShapeError("it has no points")
    xs, ys = [x for x, _ in known], [y for _, y in known]
    return min(xs), min(ys), max(xs), max(ys)


def area_of(outline: Sequence[Point]) -> float:
    """Return the area that an outline encloses, in square pixels, by the shoelace formula."""
    turns = zip(outline, [*outline[1:], *outline[:1]], strict=True)
    return abs(sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in turns)) / 2
