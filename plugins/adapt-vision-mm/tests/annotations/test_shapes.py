"""Shapes of annotation tools have the bounds and areas of the figures that they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pycocotools")

import numpy
from pycocotools import mask

from adapt_vision_mm.annotations import shapes
from adapt_vision_mm.annotations.annotated_split import AnnotatedImage
from adapt_vision_mm.annotations.rle import encode_part, join_masks
from adapt_vision_mm.annotations.shapes import Shape, ShapeError


def image() -> AnnotatedImage:
    return AnnotatedImage(id=1, path=Path("a.jpg"), width=64, height=32)


@pytest.mark.parametrize("radii", [(10.0, 10.0), (200.0, 200.0), (30.0, 12.0), (0.05, 0.05)])
@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0])
def test_an_ellipse_has_its_bounds_and_area(radii: tuple[float, float], degrees: float) -> None:
    shape = shapes.ellipse((300.0, 200.0), radii, degrees)
    across, down = radii
    exact = math.pi * across * down
    assert exact * 0.97 < shapes.area_of(shape.outline) <= exact
    left, top, right, bottom = shape.bounds
    drawn = shapes.bounds_of(shape.outline)
    assert max(abs(a - b) for a, b in zip(shape.bounds, drawn, strict=True)) < max(0.11, 0.02 * max(radii))
    assert (left + right) / 2 == pytest.approx(300)
    assert (top + bottom) / 2 == pytest.approx(200)
    if degrees == 90.0:
        assert right - left == pytest.approx(2 * down)


def test_a_turned_rectangle_has_the_bounds_of_its_corners() -> None:
    about_middle = shapes.turned_rectangle((10, 20, 30, 30), 90)
    assert about_middle.bounds == pytest.approx((15, 15, 25, 35))
    about_corner = shapes.turned_rectangle((10, 20, 30, 30), 90, about=(10, 20))
    assert about_corner.bounds == pytest.approx((0, 20, 10, 40))
    assert shapes.turned_rectangle((10, 20, 30, 30), 45).bounds == pytest.approx(
        (20 - 15 / math.sqrt(2), 25 - 15 / math.sqrt(2), 20 + 15 / math.sqrt(2), 25 + 15 / math.sqrt(2))
    )
    assert shapes.turned_rectangle((10, 20, 30, 30), 360).bounds == (10, 20, 30, 30)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: shapes.polygon([(1, 1), (2, 2)]), "a polygon needs at least three points; it has 2"),
        (lambda: shapes.ellipse((1, 1), (0, 3)), "the radius of its ellipse is 0; it is above 0"),
        (lambda: shapes.read_points([[1, 2], [3]]), "points has .3., which is no point"),
        (lambda: shapes.read_points("1,2"), "points is '1,2', not a list of points"),
        (lambda: shapes.read_points([["a", 2]]), "points: x is 'a', not a number"),
        (lambda: shapes.read_number({"x": math.nan}, "x"), "x is nan, not a finite number"),
        (lambda: shapes.read_number({"x": [1]}, "x"), "x is .1., not a number"),
        (lambda: shapes.read_number({"x": True}, "x"), "x is True, not a number"),
        (lambda: shapes.read_number({}, "x"), "it has no x"),
        (lambda: shapes.line([]), "it has no points"),
        (lambda: shapes.rectangle(70, 1, 80, 2).require_inside(image()), "extends 16 pixels beyond the image"),
        (lambda: shapes.rectangle(7, 1, 7, 2).require_inside(image()), "its rectangle has no area"),
    ],
)
def test_what_is_no_shape_is_told(make: Callable[[], Shape], reason: str) -> None:
    with pytest.raises(ShapeError, match=reason):
        make()


@pytest.mark.parametrize(("left", "top"), [(3, 5), (-2, -1), (60, 30)])
def test_a_part_of_a_mask_lies_in_its_image(left: int, top: int) -> None:
    pixels = numpy.zeros((4, 6), dtype=bool)
    pixels[1:, 2:] = True
    whole = numpy.zeros((32 + 20, 64 + 20), dtype="uint8")
    whole[top + 10 : top + 14, left + 10 : left + 16] = pixels
    whole = numpy.asfortranarray(whole[10:42, 10:74])
    rle, box = encode_part(pixels, left, top, image())
    assert numpy.array_equal(mask.decode(rle), whole)
    assert box == list(mask.toBbox(mask.encode(whole)))


def test_polygons_and_masks_are_joined() -> None:
    pixels = numpy.ones((4, 6), dtype=bool)
    rle, _ = encode_part(pixels, 40, 20, image())
    joined, area = join_masks([[0, 0, 10, 0, 10, 10, 0, 10]], [rle], image())
    assert area == 100 + 24
    assert joined["size"] == [32, 64]
