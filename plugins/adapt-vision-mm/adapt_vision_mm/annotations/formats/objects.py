"""Objects of an export as their tools write them, as COCO's annotations."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import attrs

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage
from adapt_vision_mm.annotations.rle import join_masks
from adapt_vision_mm.annotations.shapes import Shape, ShapeError, area_of, bounds_of

NAMELESS = "object"
"""The class of what has none: bodies that are points alone, and all regions of an export without attributes."""

Keypoint = tuple[float, float, int]
"""x, y, and 0 (not labelled), 1 (hidden) or 2 (visible)."""


@attrs.frozen
class Fault:
    """What cannot be read.

    Attributes:
        where: the file and the place in it.
        reason: why.
        of_point: whether it is about points alone, which boxes and masks do not need.
    """

    where: str
    reason: str
    of_point: bool = False


@attrs.frozen(kw_only=True)
class Item:
    """An object.

    Attributes:
        label: its class.
        where: the file and the place in it.
        shapes: its parts.
        points: name -> keypoint, of a body.
    """

    label: str
    where: str
    shapes: tuple[Shape, ...] = ()
    points: Mapping[str, Keypoint] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Part:
    """A shape as it stands in a list: an object, a part of one, or a point of a body.

    Attributes:
        label: the class of an object, or the name of a point.
        where: the file and the place in it.
        shape: the shape.
        group: what shapes of one object or body have in common; None for one that stands alone.
        visible: of a point: 1 where it is hidden.
    """

    label: str
    where: str
    shape: Shape
    group: Hashable | None = None
    visible: int = 2


def join_parts(parts: Iterable[Part | Fault]) -> Iterator[Item | Fault]:
    """Yield the objects of an image: parts of one label and group are one, points belong to the body of their group.

    Parts are what is drawn with its outline; each box is an object of its own, as a group of boxes may be a herd.
    A point without a group belongs to the one object of its image, and points without any object are one body. The body
    of a group with several objects is the first of them.
    """
    objects: dict[Hashable, list[Part]] = {}
    points: list[Part] = []
    for number, part in enumerate(parts):
        if isinstance(part, Fault):
            yield part
        elif part.shape.kind == "point":
            points.append(part)
        else:
            is_part = part.group is not None and part.shape.is_mask
            objects.setdefault((part.label, part.group) if is_part else (number,), []).append(part)
    items = [(found[0], found) for found in objects.values()]
    bodies: dict[int | Hashable, list[Part]] = {}
    for part in points:
        owner = next(
            (n for n, (first, _) in enumerate(items) if part.group is not None and first.group == part.group), None
        )
        if owner is None and part.group is None and len(items) == 1:
            owner = 0
        if owner is None and part.group is None and items:
            yield Fault(
                part.where,
                f"the point {part.label!r} belongs to none of {len(items)} objects: group it with its own",
                of_point=True,
            )
            continue
        bodies.setdefault(("alone", part.group) if owner is None else owner, []).append(part)
    for number, (first, found) in enumerate(items):
        yield from _item(first.label, first.where, found, bodies.pop(number, []))
    for left in bodies.values():
        yield from _item(NAMELESS, left[0].where, [], left)


def _item(label: str, where: str, parts: Sequence[Part], points: Sequence[Part]) -> Iterator[Item | Fault]:
    known: dict[str, Keypoint] = {}
    for part in points:
        if part.label in known:
            yield Fault(part.where, f"the point {part.label!r} stands twice in one body", of_point=True)
            continue
        x, y, _, _ = part.shape.bounds
        known[part.label] = (x, y, part.visible)
    yield Item(label=label, where=where, shapes=tuple(part.shape for part in parts), points=known)


def annotation_of(item: Item, image: AnnotatedImage, kind: str | None) -> dict[str, Any]:
    """Return an object as COCO's annotation without ids and keypoints, clipped to its image.

    Args:
        item: the object.
        image: its image.
        kind: what the task needs: "boxes", "masks" or "keypoints"; None for all that there is.

    Raises:
        ShapeError: it has not what the task needs, or does not lie in its image.
    """
    flat = next((shape for shape in item.shapes if not shape.is_mask), None)
    line = next((shape for shape in item.shapes if not shape.has_area), None)
    if line is not None:
        raise ShapeError(f"a {line.kind} covers nothing: draw a box or a polygon")
    if flat is not None and kind == "masks":
        raise ShapeError(f"a {flat.kind} is no mask: draw a polygon, or train object_detection on boxes")
    for shape in item.shapes:
        shape.require_inside(image)
    seen = [(x, y) for x, y, visible in item.points.values() if visible]
    corners = chain.from_iterable(((s.bounds[0], s.bounds[1]), (s.bounds[2], s.bounds[3])) for s in item.shapes)
    left, top, right, bottom = bounds_of(list(corners) or seen)
    if not (right > left and bottom > top):
        raise ShapeError("its points span no area: draw its box too")
    box = image.clipped(left, top, right, bottom)
    found: dict[str, Any] = {"bbox": box, "area": box[2] * box[3], "iscrowd": 0}
    if flat is None and item.shapes:
        found |= _mask_of(item.shapes, image)
    return found


def _mask_of(shapes: Sequence[Shape], image: AnnotatedImage) -> dict[str, Any]:
    outlines = [image.clipped_outline(shape.outline) for shape in shapes if shape.outline]
    masks = [shape.rle for shape in shapes if shape.rle is not None]
    if masks:
        rle, area = join_masks(outlines, masks, image)
        return {"segmentation": rle, "area": area}
    return {"segmentation": outlines, "area": sum(area_of(shape.outline) for shape in shapes)}
