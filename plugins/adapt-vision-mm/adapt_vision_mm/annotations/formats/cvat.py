"""CVAT's XML, "CVAT for images 1.1": each image with its boxes, polygons, ellipses, masks, points and skeletons.

https://docs.cvat.ai/docs/manual/advanced/xml_format/. `z_order` and `occluded` change no box and no mask: objects may
lie over one another, as in COCO. `occluded` of a skeleton's point makes it hidden, `outside` not labelled.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import TOLERANCE, AnnotatedImage
from adapt_vision_mm.annotations.coco_images import split_called
from adapt_vision_mm.annotations.formats.entries import Entry, Export
from adapt_vision_mm.annotations.formats.export import ExportFormat
from adapt_vision_mm.annotations.formats.objects import Fault, Item, Keypoint, Part, join_parts
from adapt_vision_mm.annotations.rle import encode_part
from adapt_vision_mm.annotations.shapes import (
    Point,
    Shape,
    ShapeError,
    as_number,
    bitmap,
    ellipse,
    line,
    point,
    polygon,
    read_number,
    shown,
    turned_rectangle,
)
from adapt_vision_mm.annotations.xml_files import read_xml

_KINDS = ("box", "polygon", "ellipse", "mask", "polyline", "points", "skeleton", "cuboid")
_NO_GROUP = ("", "0")

_Content = tuple[ET.Element, Mapping[ET.Element, int]]
"""An image, and the lines of its elements."""


class Cvat(ExportFormat):
    """The format "CVAT for images 1.1"."""

    suffixes = (".xml",)
    tool = "CVAT"

    def looks(self, beginning: str) -> bool:
        """Return whether a file begins with CVAT's annotations."""
        has_root = re.search(r"<annotations\s*>", beginning) is not None
        return has_root and re.search(r"<(meta|image|track)[\s>]", beginning) is not None

    def read_export(self, files: Sequence[Path]) -> Export:
        """Return the images, and the labels of task or project in their order."""
        entries: list[Entry] = []
        classes: dict[str, None] = {}
        for file in files:
            tree = read_xml(file)
            track = tree.root.find("track")
            if track is not None:
                raise DataError(
                    f"{file}:{tree.lines[track]}: it is an export for video, with tracks. Export 'CVAT for images 1.1'."
                )
            if tree.root.tag != "annotations" or tree.root.find("image") is None:
                raise DataError(f"{file} is not an export of CVAT for images: it has no <image>. Export it again.")
            entries += [_read_image(image, file, tree.lines) for image in tree.root.iter("image")]
            classes |= dict.fromkeys(_labels(tree.root))
        return Export(entries, list(classes))

    def read_items(self, entry: Entry, image: AnnotatedImage) -> Iterable[Item | Fault]:
        """Return the objects of an image."""
        content: _Content = entry.content
        given, lines = content
        parts: list[Part | Fault] = []
        bodies: list[tuple[str | None, Item]] = []
        for element in given:
            if element.tag not in _KINDS:
                continue
            where = f"{entry.file}:{lines[element]}"
            given_group = element.get("group_id", "")
            group = None if given_group in _NO_GROUP else given_group
            is_body = element.tag in ("skeleton", "points")
            try:
                if is_body:
                    bodies.append((group, _body(element, where)))
                else:
                    parts.append(
                        Part(
                            label=element.get("label", ""),
                            where=where,
                            shape=_shape_of(element, image),
                            group=group,
                        )
                    )
            except ShapeError as defect:
                parts.append(Fault(where, str(defect), of_point=is_body))
        yield from _with_boxes(bodies, parts)
        yield from join_parts(parts)


def _with_boxes(bodies: Sequence[tuple[str | None, Item]], parts: list[Part | Fault]) -> Iterator[Item]:
    """Yield the bodies that stand alone; of a group with one other shape, one body becomes points of its `parts`."""
    shapes = Counter(part.group for part in parts if isinstance(part, Part))
    grouped = Counter(group for group, _ in bodies)
    for group, body in bodies:
        if group is None or shapes[group] != 1 or grouped[group] != 1:
            yield body
            continue
        parts.extend(
            Part(label=name, where=body.where, shape=point(x, y), group=group, visible=visible)
            for name, (x, y, visible) in body.points.items()
        )


def _read_image(given: ET.Element, file: Path, lines: Mapping[ET.Element, int]) -> Entry:
    name, where = given.get("name", "").strip(), f"{file}:{lines[given]}"
    if not name:
        return Entry(file=file, where=where, fault="an <image> has no name")
    try:
        size = (read_number(given.attrib, "width", 0), read_number(given.attrib, "height", 0))
    except ShapeError as defect:
        return Entry(file=file, where=where, fault=str(defect))
    subset = given.get("subset", "").strip()
    return Entry(
        file=file,
        where=f"{where} ({name[-60:]})",
        names=[*([f"{given.get('subset')}/{name}"] if subset else []), name],
        size=size,
        content=(given, lines),
        is_bare=not any(element.tag in _KINDS for element in given),
        subset=subset,
        split=split_called(subset.casefold()),
    )


def _labels(root: ET.Element) -> Iterator[str]:
    """Yield the names of labels that are classes: not the points of skeletons."""
    for label in root.iterfind("meta//labels/label"):
        name = (label.findtext("name") or "").strip()
        if name and label.find("parent") is None:
            yield name


def _shape_of(given: ET.Element, image: AnnotatedImage) -> Shape:
    values: Mapping[str, Any] = given.attrib
    if given.tag == "box":
        left, top, right, bottom = (read_number(values, key) for key in ("xtl", "ytl", "xbr", "ybr"))
        return turned_rectangle((left, top, right, bottom), read_number(values, "rotation", 0))
    if given.tag == "ellipse":
        middle = (read_number(values, "cx"), read_number(values, "cy"))
        return ellipse(
            middle, (read_number(values, "rx"), read_number(values, "ry")), read_number(values, "rotation", 0)
        )
    if given.tag == "polygon":
        return polygon(_points(given))
    if given.tag == "polyline":
        return line(_points(given))
    if given.tag == "mask":
        return _mask_of(values, image)
    raise ShapeError(f"a {given.tag} is not read: draw a box or a polygon")


def _points(given: ET.Element) -> list[Point]:
    found: list[Point] = []
    for pair in filter(None, given.get("points", "").split(";")):
        sides = pair.split(",")
        if len(sides) != 2:
            raise ShapeError(f"points has {shown(pair)}, which is no point x,y")
        found.append((as_number(sides[0], "points: x"), as_number(sides[1], "points: y")))
    return found


def _body(given: ET.Element, where: str) -> Item:
    """Return a skeleton with the names of its points, or points with their numbers."""
    points: dict[str, Keypoint] = {}
    if given.tag == "points":
        points = {f"point_{number}": (x, y, 2) for number, (x, y) in enumerate(_points(given))}
    for one in given.iterfind("points"):
        name = one.get("label", "").strip()
        if not name or name in points:
            raise ShapeError(f"its point {name!r} has no name" if not name else f"its point {name!r} stands twice")
        if one.get("outside") == "1":
            points[name] = (0.0, 0.0, 0)
            continue
        found = _points(one)
        if len(found) != 1:
            raise ShapeError(f"its point {name!r} has {len(found)} places")
        points[name] = (*found[0], 1 if one.get("occluded") == "1" else 2)
    if not points:
        raise ShapeError(f"its {given.tag} has no points")
    return Item(label=given.get("label", ""), where=where, points=points)


def _mask_of(values: Mapping[str, Any], image: AnnotatedImage) -> Shape:
    """Return a mask: lengths of runs by rows of its box, the first of them outside of it."""
    import numpy

    left, top, width, height = (int(read_number(values, key)) for key in ("left", "top", "width", "height"))
    runs = [as_number(run, "rle") for run in str(values.get("rle", "")).split(",") if run.strip()]
    if width < 1 or height < 1 or any(run < 0 or run != int(run) for run in runs) or sum(runs) != width * height:
        raise ShapeError(f"its rle does not fill its box of {width} x {height} pixels")
    if image.beyond(left, top, left + width, top + height) > TOLERANCE:
        raise ShapeError(f"its mask extends beyond the image ({image.width} x {image.height})")
    values_of_runs = numpy.arange(len(runs)) % 2
    pixels = numpy.repeat(values_of_runs, [int(run) for run in runs]).reshape(height, width)
    if not pixels.any():
        raise ShapeError("its mask has no pixel")
    return bitmap(*encode_part(pixels, left, top, image))
