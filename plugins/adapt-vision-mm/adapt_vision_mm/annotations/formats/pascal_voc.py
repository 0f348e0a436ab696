"""Pascal VOC into an `AnnotatedSplit`: ImageSets/Main/SPLIT.txt (or every XML), Annotations/*.xml, JPEGImages."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Category
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.image_files import SUFFIXES, image_fault, sizes

ANNOTATIONS, IMAGES = "Annotations", "JPEGImages"


def read(root: Path, names: Sequence[str], classes: Sequence[str] | None, source: str, skip: bool) -> AnnotatedSplit:
    """Reads and validates one split.

    Args:
        root: the folder that holds Annotations/ and JPEGImages/.
        names: images without their suffix.
        classes: class names by label; None to take those of this split, in alphabetical order.
        source: the split's file, for messages.
        skip: drop and count what cannot be used, instead of stopping.

    Raises:
        DataError: with file and reason.
    """
    rows = BadRows(source, skip)
    parsed: list[tuple[dict[str, Any], list[tuple[str, list[float], int]]]] = []
    for number, name in enumerate(names, start=1):
        reason, picture, objects = _read_one(root, name, number)
        if reason is not None:
            rows.add(reason, f"image {name!r}")
            continue
        kept = []
        for position, (label, box, difficult) in enumerate(objects, start=1):
            where = f"{root / ANNOTATIONS / f'{name}.xml'} object {position}"
            fault = _box_fault(box, picture["width"], picture["height"])
            if fault is None and classes is not None and label not in classes:
                fault = f"unknown class {label!r}"
            if fault is not None:
                rows.add(fault, where)
            else:
                kept.append((label, box, difficult))
        parsed.append((picture, kept))
    dropped = rows.settle()
    found = tuple(classes) if classes is not None else tuple(sorted({o[0] for _, objects in parsed for o in objects}))
    if not any(objects for _, objects in parsed):
        raise DataError(f"{source}: no image has an object that can be used.")
    return AnnotatedSplit(
        source=source,
        pictures=_with_annotations(parsed, found),
        categories=tuple(Category(id=number, name=name) for number, name in enumerate(found, start=1)),
        dropped=dropped,
    )


def _with_annotations(parsed: Sequence[Any], classes: tuple[str, ...]) -> tuple[AnnotatedImage, ...]:
    pictures, identifier = [], 0
    for picture, objects in parsed:
        annotations = []
        for label, (left, top, right, bottom), difficult in objects:
            identifier += 1
            box = [left, top, right - left, bottom - top]
            annotations.append(
                {
                    "id": identifier,
                    "image_id": picture["id"],
                    "category_id": classes.index(label) + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": difficult,
                }
            )
        pictures.append(AnnotatedImage(**picture, annotations=tuple(annotations)))
    return tuple(pictures)


def _read_one(
    root: Path, name: str, number: int
) -> tuple[str | None, dict[str, Any], list[tuple[str, list[float], int]]]:
    try:
        tree = ET.parse(root / ANNOTATIONS / f"{name}.xml").getroot()  # noqa: S314 - entities are not expanded remotely
    except FileNotFoundError:
        return f"{ANNOTATIONS}/{name}.xml is missing", {}, []
    except (OSError, ET.ParseError) as error:
        return f"{ANNOTATIONS}/{name}.xml cannot be read ({error})", {}, []
    candidates = [tree.findtext("filename") or "", *(f"{name}{suffix}" for suffix in SUFFIXES)]
    folder = root / IMAGES
    path = next((folder / c for c in candidates if c and (folder / c).is_file()), folder / f"{name}.jpg")
    reason = image_fault(path)
    if reason is not None:
        return reason, {}, []
    shown, stored = sizes(path)
    size = (int(tree.findtext("size/width") or 0), int(tree.findtext("size/height") or 0))
    annotated = size if all(size) else shown
    if annotated not in (shown, stored):
        return f"image is {shown[0]} x {shown[1]}, annotated as {annotated[0]} x {annotated[1]}", {}, []
    objects = []
    for item in tree.iter("object"):
        try:
            corners = [float(item.findtext(f"bndbox/{key}") or "") for key in ("xmin", "ymin", "xmax", "ymax")]
        except ValueError:
            return f"{ANNOTATIONS}/{name}.xml: an object has no bndbox", {}, []
        # VOC counts pixels from 1 and both corners belong to the box; COCO's corners lie between pixels.
        box = [corners[0] - 1, corners[1] - 1, corners[2], corners[3]]
        objects.append((str(item.findtext("name")), box, int(item.findtext("difficult") or 0)))
    picture = {
        "id": number,
        "path": path,
        "width": annotated[0],
        "height": annotated[1],
        "as_stored": annotated != shown,
    }
    return None, picture, objects


def _box_fault(box: list[float], width: int, height: int) -> str | None:
    left, top, right, bottom = box
    if not (right > left and bottom > top):
        return f"box of zero area {box}"
    if min(left, top) < -1 or right > width + 1 or bottom > height + 1:
        return f"box {box} reaches outside the image ({width} x {height})"
    box[:] = [max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))]
    return None
