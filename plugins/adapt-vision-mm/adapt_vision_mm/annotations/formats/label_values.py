"""The values of a label map, from a PNG of any mode, and signs that an image editor has changed them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    LabelMap = NDArray[numpy.int64]
    """Values (height, width)."""

_FEWEST_EDGES = 3
_NEARLY_ALL = 0.9
"""Share of a value's pixels."""


class BadMapError(ValueError):
    """A label map cannot be used; the message is the reason."""


def read_values(path: Path, palette: Sequence[Sequence[int]]) -> LabelMap:
    """Return the values of a label map; transparent pixels are 0.

    Grey, palette and 16-bit images have them as they are, and colour images whose channels are equal too. Other colours
    become the number of the class in `palette`; black is 0.

    Args:
        path: a PNG.
        palette: a colour [red, green, blue] for each class.

    Raises:
        BadMapError: a colour is not in the palette.
    """
    from PIL import Image

    with Image.open(path) as image:
        alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
        if image.mode == "LA":
            values = numpy.asarray(image.getchannel("L")).astype(numpy.int64)
        elif image.mode in ("RGB", "RGBA"):
            values = _read_colours(image, palette, path, alpha)
        else:
            values = numpy.asarray(image).astype(numpy.int64)
    return values if alpha is None else numpy.where(numpy.asarray(alpha) > 0, values, 0)


def _read_colours(image: Image, palette: Sequence[Sequence[int]], path: Path, alpha: Image | None) -> LabelMap:
    pixels = numpy.asarray(image.convert("RGB")).astype(numpy.int64)
    values = numpy.zeros(pixels.shape[:2], dtype=numpy.int64)
    if not palette:
        if (pixels == pixels[..., :1]).all():
            return pixels[..., 0]
        raise BadMapError(f"label map {path.name} is in colour: set palette, one colour for each class")
    for number, colour in enumerate(palette, start=1):
        values[numpy.all(pixels == numpy.asarray(colour), axis=-1)] = number
    unknown = numpy.any(pixels, axis=-1) & (values == 0) & (True if alpha is None else numpy.asarray(alpha) > 0)
    if unknown.any():
        row, column = (int(place[0]) for place in numpy.nonzero(unknown))
        raise BadMapError(
            f"label map {path.name} has the colour {pixels[row, column].tolist()}, which is not in palette (first at x "
            f"{column}, y {row}; {int(unknown.sum())} such pixels). Black is the background"
        )
    return values


def are_interpolated(maps: Sequence[LabelMap]) -> bool:
    """Return whether most values are edges between others, as resizing with interpolation makes them.

    A value is such an edge if it touches another value besides 0 and contains no square of 3 x 3 pixels, whereas an
    object is wider or stands alone.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    edges = total = 0
    for values in maps:
        highest = maximum_filter(values, size=3, mode="nearest")
        inside = values[(minimum_filter(values, size=3, mode="nearest") == highest) & (values > 0)]
        nearest = minimum_filter(numpy.where(values > 0, values, numpy.iinfo(values.dtype).max), size=3, mode="nearest")
        touching = values[(values > 0) & ((highest > values) | (nearest < values))]
        edges += len(numpy.setdiff1d(touching, inside))
        total += len(numpy.unique(values[values > 0]))
    return edges >= _FEWEST_EDGES and 2 * edges > total


def values_between(maps: Sequence[LabelMap]) -> list[int]:
    """Return the values above 0 of which nearly all pixels have a lower and a higher one in their 3 x 3 neighbourhood.

    Interpolation makes such values at the edge of any other; a thin object has them only where it separates a lower
    value from a higher one.

    Args:
        maps: of values from 0 to 255.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    between, total = numpy.zeros(256, numpy.int64), numpy.zeros(256, numpy.int64)
    for values in maps:
        lower = minimum_filter(values, size=3, mode="nearest") < values
        higher = maximum_filter(values, size=3, mode="nearest") > values
        between += numpy.bincount(values[lower & higher], minlength=256)
        total += numpy.bincount(values.ravel(), minlength=256)
    return [int(value) for value in numpy.nonzero(between)[0] if value and between[value] >= _NEARLY_ALL * total[value]]
