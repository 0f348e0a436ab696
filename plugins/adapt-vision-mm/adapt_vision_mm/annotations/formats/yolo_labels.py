"""Lines of YOLO's label files as annotations.

    class x y width height                    a box: its middle and sides
    class x1 y1 x2 y2 x3 y3 ...               a polygon
    class x y width height px py (v) ...      a box with keypoints, v: 0 not labelled, 1 hidden, 2 visible

All numbers but the class and v are shares of the image's width and height, as it is shown (EXIF rotation applied).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from adapt_vision_mm.annotations.annotated_split import TOLERANCE, AnnotatedImage
from adapt_vision_mm.annotations.formats.yolo_layout import Keypoints, Layout
from adapt_vision_mm.annotations.shapes import area_of

_BEYOND = 1.01
"""Rounded polygons lie a little outside; numbers above this are pixels."""


class LabelError(ValueError):
    """A line cannot be used; the message is the reason."""


def read_label(line: str, image: AnnotatedImage, layout: Layout) -> dict[str, Any]:
    """Return a line as a COCO annotation without ids: category_id, bbox, area, iscrowd, and what else it has.

    Raises:
        LabelError: it is none, or does not lie in its image.
    """
    try:
        number, *shares = [float(word) for word in line.split()]
    except ValueError:
        raise LabelError("it is not numbers") from None
    if not all(map(math.isfinite, (number, *shares))):
        raise LabelError("it has a number that is not finite")
    category = _category(number, layout.names)
    points = layout.keypoints
    if points is not None and len(shares) == 4 + points.numbers * len(points.names):
        return {**_box(category, shares[:4], image), **_pose(shares[4:], image, points)}
    if len(shares) == 4:
        return _box(category, shares, image)
    if len(shares) >= 6 and len(shares) % 2 == 0:
        return _polygon(category, shares, image)
    raise LabelError(
        f"it has {1 + len(shares)} numbers; a box is its class and 4, a polygon its class and pairs from 3 on"
    )


def _category(number: float, names: Mapping[int, str]) -> int:
    if number not in names:
        raise LabelError(f"class {number:g} has no name; there are {', '.join(map(str, list(names)[:10]))}")
    return int(number)


def _require_shares(shares: Sequence[float]) -> None:
    wrong = next((share for share in shares if not 1 - _BEYOND <= share <= _BEYOND), None)
    if wrong is not None:
        raise LabelError(f"{wrong:g} is no share of the image's width or height, from 0 to 1")


def _box(category: int, shares: Sequence[float], image: AnnotatedImage) -> dict[str, Any]:
    _require_shares(shares)
    across, down, width, height = shares
    left, top = (across - width / 2) * image.width, (down - height / 2) * image.height
    return _object(category, [left, top, left + width * image.width, top + height * image.height], image)


def _polygon(category: int, shares: Sequence[float], image: AnnotatedImage) -> dict[str, Any]:
    _require_shares(shares)
    xs, ys = [share * image.width for share in shares[::2]], [share * image.height for share in shares[1::2]]
    found = _object(category, [min(xs), min(ys), max(xs), max(ys)], image)
    outline = list(zip(xs, ys, strict=True))
    return {**found, "area": area_of(outline), "segmentation": [image.clipped_outline(outline)]}


def _object(category: int, corners: Sequence[float], image: AnnotatedImage) -> dict[str, Any]:
    left, top, right, bottom = corners
    if not (right > left and bottom > top):
        raise LabelError("its box has no area")
    if image.beyond(left, top, right, bottom) > TOLERANCE:
        raise LabelError(f"its box extends beyond the image ({image.width} x {image.height})")
    box = image.clipped(left, top, right, bottom)
    return {"category_id": category, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}


def _pose(numbers: Sequence[float], image: AnnotatedImage, points: Keypoints) -> dict[str, Any]:
    found: list[float] = []
    for start in range(0, len(numbers), points.numbers):
        across, down, *seen = numbers[start : start + points.numbers]
        # Without a third number, a point that is not labelled is negative.
        visible = seen[0] if seen else 0.0 if min(across, down) < 0 else 2.0
        if visible:
            _require_shares((across, down))
        found += [across * image.width, down * image.height, visible] if visible else [0.0, 0.0, 0.0]
    return {"keypoints": found, "num_keypoints": sum(seen > 0 for seen in found[2::3])}
