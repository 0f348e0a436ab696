"""Defects of annotated masks, found before training: polygons without area, RLE that does not fill its image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from adapt_vision_mm.annotations.annotated_split import TOLERANCE, AnnotatedImage, Category
from adapt_vision_mm.annotations.shapes import area_of

_MIN_POLYGON = 6


def mask_defect(annotation: Mapping[str, Any], _: Category, image: AnnotatedImage) -> str | None:
    """Return why an annotation's `segmentation` is not a mask of its image, or None. An `AnnotationCheck`."""
    segmentation = annotation.get("segmentation")
    if not segmentation:
        return "segmentation is missing"
    if isinstance(segmentation, Mapping):
        return _rle_defect(segmentation, image)
    if not isinstance(segmentation, list) or not all(isinstance(polygon, list) for polygon in segmentation):
        return "segmentation is neither polygons nor RLE"
    if any(len(polygon) < _MIN_POLYGON or len(polygon) % 2 for polygon in segmentation):
        return "a polygon needs at least three points (x, y, x, y, ...)"
    if not all(map(is_number, (value for polygon in segmentation for value in polygon))):
        return "a polygon contains a non-numeric value"
    return _place_defect(segmentation, image)


def _place_defect(polygons: Sequence[Sequence[float]], image: AnnotatedImage) -> str | None:
    """Return why polygons of numbers cover no pixels of their image, or others beside them."""
    for polygon in polygons:
        xs, ys = polygon[::2], polygon[1::2]
        beyond = image.beyond(min(xs), min(ys), max(xs), max(ys))
        if beyond > TOLERANCE:
            return f"a polygon extends {beyond:g} pixels beyond the image ({image.width} x {image.height})"
    if not any(area_of(list(zip(polygon[::2], polygon[1::2], strict=True))) for polygon in polygons):
        return "its polygons have no area: their points are on a line"
    return None


def is_number(value: object) -> bool:
    """Return whether a value of a JSON file is a finite number, of a size that arithmetic has."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _rle_defect(rle: Mapping[str, Any], image: AnnotatedImage) -> str | None:
    if not {"size", "counts"} <= set(rle):
        return "segmentation is not RLE (size, counts)"
    height, width = image.height, image.width
    if rle["size"] != [height, width]:
        return f"the RLE's size is {rle['size']}, its image's [{height}, {width}]"
    counts = rle["counts"]
    try:
        runs = _decode_counts(counts) if isinstance(counts, str) else list(counts)
    except (TypeError, IndexError):
        runs = []
    if not all(isinstance(run, int) and run >= 0 for run in runs) or sum(runs) != height * width:
        # pycocotools would read out of bounds.
        return f"the RLE's counts do not fill its {height} x {width} pixels"
    if not any(runs[1::2]):
        return "the RLE has no pixel: its mask is empty"
    return None


def _decode_counts(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed counts.

    A character is 48 + six bits: the low five are the next bits of a number, lowest first, and 32 means that another
    character follows. The highest bit of a number is its sign. From the fourth number on, each is the difference from
    the number two before it.

    Raises:
        IndexError: the text ends inside a number.
    """
    runs: list[int] = []
    position = 0
    while position < len(text):
        value = shift = 0
        continues = True
        while continues:
            bits = ord(text[position]) - 48
            value |= (bits & 31) << shift
            shift, position, continues = shift + 5, position + 1, bool(bits & 32)
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs
