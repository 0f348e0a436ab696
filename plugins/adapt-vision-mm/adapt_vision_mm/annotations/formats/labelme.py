"""LabelMe's JSON: a file for each image, with `imagePath`, `shapes` and often the image itself (`imageData`).

Versions 4 to 6 of https://github.com/wkentaro/labelme, and tools that write the same (X-AnyLabeling).
"""

from __future__ import annotations

import binascii
import hashlib
import logging
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from adapt_core.errors import DataError
from adapt_core.run_folder.files import write_bytes

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage
from adapt_vision_mm.annotations.formats.entries import Entry, Export
from adapt_vision_mm.annotations.formats.export import ExportFormat
from adapt_vision_mm.annotations.formats.objects import Fault, Item, Part, join_parts
from adapt_vision_mm.annotations.image_files import find_image
from adapt_vision_mm.annotations.json_files import read_json
from adapt_vision_mm.annotations.mask_check import is_number
from adapt_vision_mm.annotations.rle import encode_part
from adapt_vision_mm.annotations.shapes import (
    Point,
    Shape,
    ShapeError,
    as_number,
    bitmap,
    bounds_of,
    ellipse,
    line,
    point,
    polygon,
    read_points,
    rectangle,
    shown,
)

log = logging.getLogger(__name__)

_SHAPES = re.compile(r'"shapes"\s*:\s*\[')
_OTHER_KEYS = re.compile(r'"(version|flags|imagePath|imageData)"\s*:')
_POINTS = {"rectangle": 2, "circle": 2, "point": 1, "oriented_rectangle": 4, "rotation": 4, "mask": 2}
"""Types of shapes -> the number of their points."""
_NO_CLASSES = ("__ignore__", "_background_")
"""Labels of what is no object, which LabelMe's own converters leave out."""


class LabelMe(ExportFormat):
    """The JSON files of LabelMe."""

    suffixes = (".json",)
    tool = "LabelMe"
    per_image = True

    def looks(self, beginning: str) -> bool:
        """Return whether a file begins with LabelMe's keys, of which an image may hide the shapes."""
        is_object = re.match(r"\s*\{", beginning) is not None
        has_shapes = _SHAPES.search(beginning) is not None or '"imageData"' in beginning
        return is_object and has_shapes and _OTHER_KEYS.search(beginning) is not None

    def read_export(self, files: Sequence[Path]) -> Export:
        """Return the files, each of which is an image."""
        stale: list[str] = []
        entries = [_read_file(file, stale) for file in files]
        left_out = sum(entry.content[1] for entry in entries if entry.fault is None)
        if left_out:
            log.info("%s: %d shapes labelled %s are left out", files[0], left_out, " or ".join(_NO_CLASSES))
        if stale:
            log.warning(
                "%d files of LabelMe have an imagePath of another image; the image of their own name counts (%s)",
                len(stale),
                stale[0],
            )
        return Export(entries)

    def read_items(self, entry: Entry, image: AnnotatedImage) -> Iterable[Item | Fault]:
        """Return the shapes of a file."""
        return join_parts(_read_parts(entry, image))

    def embedded(self, entry: Entry) -> Path | None:
        """Write the image in a file into the cache of adapt, and return it."""
        from adapt_core.hf.data.cache import cache_folder

        content = _image_data(entry)
        if content is None:
            return None
        name = Path(entry.names[-1]).name if entry.names else f"{entry.file.stem}.png"
        file = cache_folder() / "labelme" / hashlib.sha256(content).hexdigest() / name
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(file, content)
        return file


def _read_file(file: Path, stale: list[str]) -> Entry:
    """Return a file; one whose imagePath is the image of another file is added to `stale`."""
    try:
        content = read_json(file)
    except DataError as error:
        return Entry(file=file, where=str(file), fault=str(error).removeprefix(f"{file} ").rstrip("."))
    listed = content.get("shapes") if isinstance(content, Mapping) else None
    if not isinstance(listed, list):
        return Entry(file=file, where=str(file), fault="it has no list of shapes, which LabelMe writes")
    shapes = [(number, one) for number, one in enumerate(listed, start=1) if not _is_no_object(one)]
    written = content.get("imagePath")
    named = written.replace("\\", "/") if isinstance(written, str) else ""
    own = find_image(file.parent, file.stem)
    if own is not None and named and Path(named).stem != file.stem:
        stale.append(f"{file.name}: {named}")
    names = [] if own is None else [own.name]
    names += [named, f"{file.stem}{Path(named).suffix}"] if named.strip() else []
    return Entry(
        file=file,
        where=str(file),
        names=list(dict.fromkeys(names)),
        size=(_side(content, "imageWidth"), _side(content, "imageHeight")),
        content=(shapes, len(listed) - len(shapes)),  # without imageData: a thousand images fill the memory
        is_bare=not shapes,
    )


def _is_no_object(shape: object) -> bool:
    label = shape.get("label") if isinstance(shape, Mapping) else None
    return isinstance(label, str) and label.strip() in _NO_CLASSES


def _side(content: Mapping[str, Any], key: str) -> float:
    value = content.get(key)
    return float(value) if value is not None and is_number(value) else 0


def _image_data(entry: Entry) -> bytes | None:
    content = read_json(entry.file)
    data = content.get("imageData") if isinstance(content, Mapping) else None
    if not isinstance(data, str) or not data:
        return None
    try:
        return b64decode(data.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return None


def _read_parts(entry: Entry, image: AnnotatedImage) -> Iterator[Part | Fault]:
    shapes, _ = entry.content
    for number, given in shapes:
        where = f"{entry.where}: shape {number}"
        if not isinstance(given, Mapping):
            yield Fault(where, "a shape is a mapping with label and points")
            continue
        label = given.get("label")
        if not isinstance(label, str) or not label.strip():
            yield Fault(where, f"label is {shown(label)}, not the name of a class")
            continue
        group = given.get("group_id")
        if isinstance(group, float) and group.is_integer():
            group = int(group)
        if group is not None and not isinstance(group, (int, str)):
            yield Fault(where, f"group_id is {shown(group)}, not a whole number")
            continue
        try:
            shape = _shape_of(given, image)
        except ShapeError as defect:
            yield Fault(where, str(defect))
            continue
        yield Part(label=label.strip(), where=where, shape=shape, group=group)


def _shape_of(given: Mapping[str, Any], image: AnnotatedImage) -> Shape:
    kind = given.get("shape_type") or "polygon"
    points = read_points(given.get("points"))
    wanted = _POINTS.get(kind) if isinstance(kind, str) else None
    if kind == "rectangle" and len(points) == 4:  # X-AnyLabeling has all corners
        return rectangle(*bounds_of(points))
    if wanted is not None and len(points) != wanted:
        raise ShapeError(f"a {kind} has {wanted} point{'s' if wanted > 1 else ''}; it has {len(points)}")
    if kind in ("rectangle", "oriented_rectangle", "rotation"):
        return rectangle(*bounds_of(points))
    if kind == "polygon":
        return polygon(points)
    if kind == "circle":
        middle, edge = points
        radius = ((middle[0] - edge[0]) ** 2 + (middle[1] - edge[1]) ** 2) ** 0.5
        return ellipse(middle, (radius, radius))
    if kind == "point":
        return point(*points[0])
    if kind in ("line", "linestrip", "points"):
        return line(points)
    if kind == "mask":
        return _mask_of(given.get("mask"), points, image)
    raise ShapeError(f"shape_type is {shown(kind)}; read are polygon, {', '.join(_POINTS)}")


def _mask_of(data: object, corners: Sequence[Point], image: AnnotatedImage) -> Shape:
    """Return a mask that is embedded as PNG, placed by its corners."""
    import numpy
    from PIL import Image

    try:
        content = b64decode(data if isinstance(data, str) else "", validate=True)
        with Image.open(BytesIO(content)) as opened:
            pixels = numpy.asarray(opened.convert("L"))
    except (binascii.Error, ValueError, OSError, SyntaxError):
        raise ShapeError("its mask is no embedded PNG") from None
    (left, top), _ = corners
    if not pixels.any():
        raise ShapeError("its mask has no pixel")
    return bitmap(*encode_part(pixels, round(as_number(left, "x")), round(as_number(top, "y")), image))
