"""Annotated masks judged before anything is trained: polygons of real points, and RLE that fills its image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from adapt_vision_mm.annotations.annotated_split import Category

_SMALLEST_POLYGON = 6


def mask_fault(annotation: Mapping[str, Any], _: Category, picture: Mapping[str, Any]) -> str | None:
    """Why an annotation's `segmentation` is no mask of its image, or None. The judge of `coco.read`."""
    segmentation = annotation.get("segmentation")
    if not segmentation:
        return "segmentation is missing"
    if isinstance(segmentation, Mapping):
        return _rle_fault(segmentation, picture)
    if not isinstance(segmentation, list) or not all(isinstance(polygon, list) for polygon in segmentation):
        return "segmentation is neither polygons nor RLE"
    if any(len(polygon) < _SMALLEST_POLYGON or len(polygon) % 2 for polygon in segmentation):
        return "a polygon needs at least three points (x, y, x, y, ...)"
    if not all(map(is_number, (value for polygon in segmentation for value in polygon))):
        return "a polygon holds a value that is no number"
    return None


def is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _rle_fault(rle: Mapping[str, Any], picture: Mapping[str, Any]) -> str | None:
    if not {"size", "counts"} <= set(rle):
        return "segmentation is no RLE (size, counts)"
    height, width = picture["height"], picture["width"]
    if rle["size"] != [height, width]:
        return f"the RLE's size is {rle['size']}, its image's [{height}, {width}]"
    counts = rle["counts"]
    try:
        runs = _runs(counts) if isinstance(counts, str) else list(counts)
    except (TypeError, IndexError):
        runs = []
    if not all(isinstance(run, int) and run >= 0 for run in runs) or sum(runs) != height * width:
        # pycocotools would read what lies in memory behind them.
        return f"the RLE's counts do not fill its {height} x {width} pixels"
    return None


def _runs(text: str) -> list[int]:
    """The run lengths of COCO's compressed counts.

    Five bits a character, from the lowest on, 48 added; 32 says that the number goes on, and its highest bit of all is
    its sign. From the fourth number on each is the difference from the one before the last.

    Raises:
        IndexError: the text ends inside a number.
    """
    runs: list[int] = []
    place = 0
    while place < len(text):
        value = shift = 0
        goes_on = True
        while goes_on:
            bits = ord(text[place]) - 48
            value |= (bits & 31) << shift
            shift, place, goes_on = shift + 5, place + 1, bool(bits & 32)
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs
