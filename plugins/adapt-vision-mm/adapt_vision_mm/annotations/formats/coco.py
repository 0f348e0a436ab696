"""COCO JSON into an `AnnotatedSplit`: every id, box and image held against what it claims."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Category
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.image_files import image_fault, sizes
from adapt_vision_mm.annotations.masks import is_number

Judge = Callable[[Mapping[str, Any], Category, Mapping[str, Any]], str | None]
"""A further look at one annotation, its class and its image (`width`, `height`): why it cannot be used, or None."""

_TOLERANCE = 1.0
"""Pixels that a box may reach outside its image before it is a fault (rounding); it is clipped."""


def read(path: Path, images: Path, skip: bool, judge: Judge | None = None) -> AnnotatedSplit:
    """Reads and validates an annotation file.

    Args:
        path: the JSON file.
        images: the folder that `file_name` is relative to.
        skip: drop and count what cannot be used, instead of stopping.
        judge: a task's further look at each annotation.

    Raises:
        DataError: with file, id and reason.
    """
    data = _load(path)
    categories = _categories(data, path)
    by_id = {category.id: category for category in categories}
    rows = BadRows(str(path), skip)
    pictures = _pictures(data, images, rows)
    known = {entry["id"] for entry in data["images"] if isinstance(entry, Mapping) and _whole(entry.get("id"))}
    members: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for number, annotation in enumerate(data["annotations"], start=1):
        where = f"annotation {annotation.get('id', f'number {number}') if isinstance(annotation, Mapping) else number}"
        reason = _fault(annotation, pictures, known, by_id, judge)
        if reason is not None:
            rows.add(reason, where)
        elif annotation["image_id"] in pictures:
            members[annotation["image_id"]].append({**_clipped(annotation, pictures), "id": number})
    dropped = rows.settle()
    if not any(members.values()):
        raise DataError(f"{path}: no image has an annotation that can be used.")
    return AnnotatedSplit(
        source=str(path),
        pictures=tuple(
            AnnotatedImage(**{**entry, "annotations": tuple(members[identifier])})
            for identifier, entry in pictures.items()
        ),
        categories=categories,
        dropped=dropped,
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}.") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(data, dict) or not isinstance(data.get(key), list):
            raise DataError(f"{path} is no COCO annotation file: it has no list {key!r}.")
    for key in ("images", "categories"):
        if not data[key]:
            raise DataError(f"{path}: the list {key!r} is empty.")
    found: dict[str, Any] = data
    return found


def _categories(data: Mapping[str, Any], path: Path) -> tuple[Category, ...]:
    entries = data["categories"]
    for entry in entries:
        if not isinstance(entry, Mapping) or not _whole(entry.get("id")) or not _name(entry.get("name")):
            raise DataError(f"{path}: a category needs an id (a whole number) and a name; not {str(entry)[:80]}.")
    for what in ("name", "id"):
        twice = [value for value, count in Counter(entry[what] for entry in entries).items() if count > 1]
        if twice:
            raise DataError(f"{path}: the class {what} {twice[0]!r} stands twice among the categories.")
    return tuple(
        Category(
            id=entry["id"],
            name=str(entry["name"]),
            keypoints=tuple(map(str, entry.get("keypoints", ()))),
            skeleton=tuple((int(a) - 1, int(b) - 1) for a, b in entry.get("skeleton", ())),
            sigmas=tuple(map(float, entry.get("sigmas", ()))),
        )
        for entry in sorted(entries, key=lambda entry: int(entry["id"]))
    )


def _pictures(data: Mapping[str, Any], images: Path, rows: BadRows) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for number, entry in enumerate(data["images"], start=1):
        if not isinstance(entry, Mapping) or not _whole(entry.get("id")) or not _name(entry.get("file_name")):
            rows.add("an image needs an id (a whole number) and a file_name", f"image number {number}")
            continue
        where = f"image {entry['id']} ({entry['file_name']})"
        if entry["id"] in found:
            rows.add("image id stands twice", where)
            continue
        path = images / str(entry["file_name"])
        reason = image_fault(path)
        if reason is not None:
            rows.add(reason, where)
            continue
        shown, stored = sizes(path)
        annotated = (entry.get("width", shown[0]), entry.get("height", shown[1]))
        if annotated not in (shown, stored):
            rows.add(f"image is {shown[0]} x {shown[1]}, annotated as {annotated[0]} x {annotated[1]}", where)
            continue
        found[entry["id"]] = {
            "id": entry["id"],
            "path": path,
            "width": annotated[0],
            "height": annotated[1],
            "as_stored": annotated != shown,
        }
    return found


def _fault(
    annotation: Any,
    pictures: Mapping[int, Mapping[str, Any]],
    known: set[int],
    categories: Mapping[int, Category],
    judge: Judge | None,
) -> str | None:
    if not isinstance(annotation, Mapping):
        return "it is no mapping"
    image_id, category_id, box = (annotation.get(key) for key in ("image_id", "category_id", "bbox"))
    if not _whole(image_id) or image_id not in known:
        return f"unknown image id {image_id!r}"
    if not _whole(category_id) or category_id not in categories:
        return f"unknown category id {category_id!r}"
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        return "no bbox [x, y, width, height]"
    x, y, width, height = box
    if not (width > 0 and height > 0):
        return f"box of zero area {box}"
    picture = pictures.get(image_id)
    if picture is None:
        return None
    outside = max(-x, -y, x + width - picture["width"], y + height - picture["height"])
    if outside > _TOLERANCE:
        return f"box {box} reaches outside the image ({picture['width']} x {picture['height']})"
    return judge(annotation, categories[annotation["category_id"]], picture) if judge else None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _name(value: Any) -> bool:
    return isinstance(value, (str, int)) and bool(value)


def _clipped(annotation: Mapping[str, Any], pictures: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    picture = pictures[annotation["image_id"]]
    x, y, width, height = map(float, annotation["bbox"])
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, float(picture["width"])), min(y + height, float(picture["height"]))
    box = [left, top, right - left, bottom - top]
    area = float(annotation.get("area") or box[2] * box[3])
    return {**annotation, "bbox": box, "area": area, "iscrowd": int(annotation.get("iscrowd", 0))}
