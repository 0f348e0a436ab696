"""VIA's JSON and csv: regions of files, by a project (`_via_img_metadata`) or an export of its annotations.

Versions 1 and 2 of https://www.robots.ox.ac.uk/~vgg/software/via/: `regions` is a list, or in version 1 a mapping.
"""

from __future__ import annotations

import csv
import json
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import attrs

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage
from adapt_vision_mm.annotations.formats.entries import Entry, Export
from adapt_vision_mm.annotations.formats.export import ExportFormat
from adapt_vision_mm.annotations.formats.objects import NAMELESS, Fault, Item
from adapt_vision_mm.annotations.json_files import read_json
from adapt_vision_mm.annotations.shapes import (
    Point,
    Shape,
    ShapeError,
    ellipse,
    line,
    point,
    polygon,
    read_number,
    read_points,
    rectangle,
    shown,
)

log = logging.getLogger(__name__)

_PROJECT = re.compile(r'"_via_(settings|img_metadata|attributes)"')
_EXPORT = re.compile(r'"regions"\s*:\s*[\[{]')
_COLUMNS = ("filename", "region_shape_attributes", "region_attributes")
_CLASSES = frozenset(("class", "label", "category", "class_name"))
"""Names of attributes that hold the class where regions have several attributes."""
_CHOICES = frozenset(("dropdown", "radio"))
"""Types of attributes of which a region has one value of a list."""
_SHAPES = "rect, circle, ellipse, polygon, polyline and point"

Region = tuple[str, Any, Any]
"""The place of a region, its shape_attributes and its region_attributes."""


class Via(ExportFormat):
    """The exports of the VGG Image Annotator."""

    suffixes = (".json", ".csv")
    tool = "VIA"

    def looks(self, beginning: str) -> bool:
        """Return whether a file begins as a project, an export, or a table of regions."""
        if re.match(r"\s*\{", beginning):
            has_files = '"filename"' in beginning and _EXPORT.search(beginning) is not None
            return has_files or _PROJECT.search(beginning) is not None
        head = beginning.partition("\n")[0]
        return all(column in head for column in _COLUMNS)

    def read_export(self, files: Sequence[Path]) -> Export:
        """Return the files with their regions, and each region with its class."""
        found: list[Entry] = []
        types: list[tuple[str, str]] = []
        for file in files:
            if file.suffix.casefold() == ".csv":
                found += _read_csv(file)
                continue
            data = read_json(file)
            found += _read_json(file, data)
            types += _types(data)
        regions = [attributes for entry in found for _, _, attributes in entry.content or ()]
        attribute = _class_attribute([one for one in regions if isinstance(one, Mapping)], types, files[0])
        if attribute is None and regions:
            log.warning("%s: its regions have no attributes: all are of one class, %r", files[0], NAMELESS)
        return Export([attrs.evolve(entry, content=(entry.content or (), attribute)) for entry in found])

    def read_items(self, entry: Entry, image: AnnotatedImage) -> Iterable[Item | Fault]:
        """Return the regions of a file."""
        regions, attribute = entry.content
        for where, shape, attributes in regions:
            try:
                yield Item(label=_label_of(attributes, attribute), where=where, shapes=(_shape_of(shape),))
            except ShapeError as defect:
                yield Fault(where, str(defect))


def _types(data: object) -> Iterator[tuple[str, str]]:
    """Yield the attributes of regions with their types, where a file is a project that defines them."""
    defined = data.get("_via_attributes") if isinstance(data, Mapping) else None
    regions = defined.get("region") if isinstance(defined, Mapping) else None
    for name, given in regions.items() if isinstance(regions, Mapping) else ():
        if isinstance(given, Mapping):
            yield str(name), str(given.get("type"))


def _read_json(file: Path, data: Any) -> Iterator[Entry]:
    files = data.get("_via_img_metadata", data) if isinstance(data, Mapping) else None
    if not isinstance(files, Mapping) or (files is data and any(str(key).startswith("_via") for key in data)):
        raise DataError(f"{file} is not an export of VIA: it has no mapping of files. Export its annotations again.")
    for number, given in enumerate(files.values(), start=1):
        where = f"{file}: file number {number}"
        name = given.get("filename") if isinstance(given, Mapping) else None
        if not isinstance(name, str) or not name.strip():
            yield Entry(file=file, where=where, fault="it has no filename")
            continue
        where = f"{file}: {name[-60:]}"
        regions = given.get("regions") or []
        listed = list(regions.values()) if isinstance(regions, Mapping) else regions
        if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
            yield Entry(file=file, where=where, fault="regions is no list of regions")
            continue
        content = [
            (f"{where}, region {place}", one.get("shape_attributes"), one.get("region_attributes"))
            for place, one in enumerate(listed, start=1)
        ]
        yield Entry(file=file, where=where, names=[name], content=content, is_bare=not content)


def _read_csv(file: Path) -> Iterator[Entry]:
    """Yield the files of a table, which has a row for each region, or one without a region."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}. Write it as UTF-8 text.") from None
    rows = csv.reader(StringIO(text, newline=""))
    head = [name.lstrip("#").strip() for name in next(rows, [])]
    if not set(_COLUMNS) <= set(head):
        raise DataError(f"{file}: its columns are not those of VIA: {', '.join(_COLUMNS)}. Export it again.")
    found: dict[tuple[str, str], list[Region]] = {}
    faults: list[Entry] = []
    end = rows.line_num
    while True:
        start = end + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise DataError(f"{file}:{start} cannot be read as csv: {error}. Correct it.") from None
        if row is None:
            break
        end, where = rows.line_num, f"{file}:{start}"
        if not any(row):
            continue
        values = dict(zip(head, row, strict=False))
        name = values["filename"].strip()
        try:
            shape = json.loads(values.get("region_shape_attributes") or "{}")
            attributes = json.loads(values.get("region_attributes") or "{}")
        except ValueError as error:
            faults.append(Entry(file=file, where=where, fault=f"its attributes are no JSON ({error})"))
            continue
        if not name:
            faults.append(Entry(file=file, where=where, fault="it has no filename"))
            continue
        regions = found.setdefault((name, values.get("file_size", "").strip()), [])
        if shape:
            regions.append((where, shape, attributes))
    yield from faults
    for (name, _), regions in found.items():
        yield Entry(file=file, where=f"{file}: {name[-60:]}", names=[name], content=regions, is_bare=not regions)


def _class_attribute(regions: Sequence[Mapping[str, Any]], types: Sequence[tuple[str, str]], file: Path) -> str | None:
    """Return the attribute that names the class; None where regions have none.

    Of several it is the one that is a choice of a list in the project, or has the name of a class, or both.

    Args:
        regions: their attributes.
        types: of attributes as projects define them.
        file: for messages.

    Raises:
        DataError: there are several, and none or more than one qualifies.
    """
    names = list(dict.fromkeys(str(key) for region in regions for key in region))
    if len(names) < 2:
        return next(iter(names), None)
    chosen = {name for name, kind in types if name in names and kind in _CHOICES}
    usual = {name for name in names if name.casefold() in _CLASSES}
    found = (chosen & usual) or (chosen | usual)
    if len(found) != 1:
        raise DataError(
            f"{file}: its regions have the attributes {', '.join(map(repr, names[:10]))}; which is the class? Name it "
            "'class' (in a project also make it a dropdown), or export without the others."
        )
    return found.pop()


def _label_of(attributes: object, attribute: str | None) -> str:
    """Return the class of a region: a text, or the one choice that is set of several."""
    if attribute is None:
        return NAMELESS
    value = attributes.get(attribute) if isinstance(attributes, Mapping) else None
    if isinstance(value, Mapping):
        chosen = [str(name) for name, is_set in value.items() if is_set]
        if len(chosen) > 1:
            raise ShapeError(f"its attribute {attribute!r} has several values: {', '.join(chosen)}")
        value = chosen[0] if chosen else None
    if isinstance(value, float) and math.isfinite(value):
        value = f"{value:g}"
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ShapeError(f"its attribute {attribute!r} is {shown(value)}, not the name of a class")
    return value.strip()


def _shape_of(given: object) -> Shape:
    if not isinstance(given, Mapping):
        raise ShapeError("it has no shape_attributes")
    kind = given.get("name")
    if kind == "rect":
        left, top = _pair(given, "x", "y")
        return rectangle(left, top, left + read_number(given, "width"), top + read_number(given, "height"))
    if kind == "circle":
        radius = read_number(given, "r")
        return ellipse(_pair(given, "cx", "cy"), (radius, radius))
    if kind == "ellipse":
        return ellipse(_pair(given, "cx", "cy"), _pair(given, "rx", "ry"), math.degrees(read_number(given, "theta", 0)))
    if kind in ("polygon", "polyline"):
        xs, ys = given.get("all_points_x"), given.get("all_points_y")
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
            raise ShapeError("all_points_x and all_points_y are not lists of one length")
        points = read_points([list(pair) for pair in zip(xs, ys, strict=True)], "all_points")
        return polygon(points) if kind == "polygon" else line(points)
    if kind == "point":
        return point(*_pair(given, "cx", "cy"))
    raise ShapeError(f"its shape is {shown(kind)}; VIA's are {_SHAPES}")


def _pair(given: Mapping[str, Any], first: str, second: str) -> Point:
    return read_number(given, first), read_number(given, second)
