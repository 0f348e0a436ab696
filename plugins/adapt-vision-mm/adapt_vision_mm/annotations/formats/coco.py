"""COCO JSON: `images`, `annotations` and `categories`, with each id, box and image checked."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import attrs

from adapt_core.contracts.format import Place
from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import (
    TOLERANCE,
    AnnotatedImage,
    AnnotatedSplit,
    Annotation,
    Category,
)
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.coco_images import find_image_folder, image_path
from adapt_vision_mm.annotations.formats.coco_fields import (
    FieldError,
    is_id,
    read_area,
    read_categories,
    read_flag,
    read_name,
    read_size,
)
from adapt_vision_mm.annotations.formats.contract import AnnotationCheck, AnnotationFormat, ReadOptions
from adapt_vision_mm.annotations.image_files import image_defect, image_sizes
from adapt_vision_mm.annotations.json_files import read_json
from adapt_vision_mm.annotations.mask_check import is_number
from adapt_vision_mm.annotations.sources import SplitSource

log = logging.getLogger(__name__)


class CocoJson(AnnotationFormat):
    """The format of COCO's annotation files."""

    def recognise(self, place: Place) -> str | None:
        """Return the annotation file where it is a JSON file."""
        return f"{place.files[0].name} is JSON" if place.files else None

    def list_unannotated(self, source: SplitSource) -> dict[int, Path] | None:
        """Return the images of a file without annotations, as COCO's `image_info_test2017.json` is."""
        file = source.require_file()
        try:
            data = read_json(file)
        except DataError:
            return None
        if not isinstance(data, dict) or data.get("annotations") or not isinstance(data.get("images"), list):
            return None
        entries = [entry for entry in data["images"] if isinstance(entry, Mapping)]
        images = _image_folder(source, file)
        named = {
            e["id"]: image_path(images, e["file_name"])
            for e in entries
            if is_id(e.get("id")) and read_name(e.get("file_name")) is not None
        }
        return named if len(named) == len(data["images"]) else None

    def read_split(self, source: SplitSource, options: ReadOptions) -> AnnotatedSplit:
        """See `read`; the image folder is guessed where the config does not name it."""
        file = source.require_file()
        images = _image_folder(source, file)
        return read(file, images, skip=options.skip, check=options.check)


def read(path: Path, images: Path, *, skip: bool, check: AnnotationCheck | None = None) -> AnnotatedSplit:
    """Read and validate an annotation file.

    Args:
        path: the JSON file.
        images: the folder that `file_name` is relative to.
        skip: drop and count bad rows instead of raising an error.
        check: the task's check of each annotation.

    Raises:
        DataError: with file, id and reason.
    """
    return read_data(_load(path), path, images, skip=skip, check=check)


def read_data(
    data: Mapping[str, list[Any]], path: Path, images: Path, *, skip: bool, check: AnnotationCheck | None = None
) -> AnnotatedSplit:
    """Validate what an annotation file holds: `images`, `annotations` and `categories`.

    The other arguments and errors are those of `read`.
    """
    categories = read_categories(data["categories"], path)
    by_id = {category.id: category for category in categories}
    rows = BadRows(str(path), skip=skip)
    found = _read_images(data["images"], images, rows)
    known = {entry["id"] for entry in data["images"] if isinstance(entry, Mapping) and is_id(entry.get("id"))}
    members: dict[int, list[Annotation]] = defaultdict(list)
    ignored = 0
    for number, entry in enumerate(data["annotations"], start=1):
        row = f"annotation {entry.get('id', f'number {number}') if isinstance(entry, Mapping) else number}"
        try:
            if isinstance(entry, Mapping) and read_flag(entry, "ignore"):
                ignored += 1
                continue
            reason = _annotation_defect(entry, found, known, by_id, check)
            if reason is None and entry["image_id"] in found:
                members[entry["image_id"]].append(_clip(entry, number, found[entry["image_id"]]))
        except FieldError as defect:
            reason = str(defect)
        if reason is not None:
            rows.add(reason, row)
    if ignored:
        log.info("%s: %d annotations with ignore: 1 are left out, as mmdet does", path, ignored)
    dropped = rows.counts()
    if not any(members.values()):
        raise DataError(f"{path}: no image has an annotation that can be used. Add them, or name another file.")
    return AnnotatedSplit(
        source=str(path),
        images=tuple(attrs.evolve(image, annotations=tuple(members[image.id])) for image in found.values()),
        categories=categories,
        dropped=dropped,
    )


def _image_folder(source: SplitSource, file: Path) -> Path:
    found = source.image_folder or find_image_folder(source.root, source.split, file)
    return found or source.root / source.split


def _load(path: Path) -> dict[str, list[Any]]:
    data = read_json(path)
    for key in ("images", "annotations", "categories"):
        if not isinstance(data, dict) or not isinstance(data.get(key), list):
            raise DataError(
                f"{path} is not a COCO annotation file: it has no list {key!r}. Add it, or name another file."
            )
    for key in ("images", "categories"):
        if not data[key]:
            raise DataError(f"{path}: the list {key!r} is empty. Add to it.")
    return cast("dict[str, list[Any]]", data)


def _read_images(entries: Sequence[Any], folder: Path, rows: BadRows) -> dict[int, AnnotatedImage]:
    found: dict[int, AnnotatedImage] = {}
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping) or not is_id(entry.get("id")) or read_name(entry.get("file_name")) is None:
            rows.add("an image needs an id (a whole number) and a file_name", f"image number {number}")
            continue
        row = f"image {entry['id']} ({entry['file_name']})"
        if entry["id"] in found:
            rows.add("image id is repeated", row)
            continue
        path = image_path(folder, entry["file_name"])
        reason = image_defect(path)
        if reason is not None:
            rows.add(reason, row)
            continue
        upright, stored = image_sizes(path)
        try:
            width, height = read_size(entry, upright, stored)
        except FieldError as defect:
            rows.add(str(defect), row)
            continue
        found[entry["id"]] = AnnotatedImage(
            id=entry["id"], path=path, width=width, height=height, as_stored=(width, height) != upright
        )
    return found


def _annotation_defect(
    entry: object,
    images: Mapping[int, AnnotatedImage],
    known: set[int],
    categories: Mapping[int, Category],
    check: AnnotationCheck | None,
) -> str | None:
    if not isinstance(entry, Mapping):
        return "it is not a mapping"
    image_id, category_id, box = (entry.get(key) for key in ("image_id", "category_id", "bbox"))
    if not is_id(image_id) or image_id not in known:
        return f"unknown image id {image_id!r}"
    if not is_id(category_id) or category_id not in categories:
        return f"unknown category id {category_id!r}"
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        return "no bbox [x, y, width, height]"
    x, y, width, height = box
    if not (width > 0 and height > 0):
        return f"box of zero area {box}"
    image = images.get(image_id)
    if image is None:
        return None
    if image.beyond(x, y, x + width, y + height) > TOLERANCE:
        return f"box {box} extends beyond the image ({image.width} x {image.height})"
    return check(entry, categories[category_id], image) if check else None


def _clip(entry: Mapping[str, Any], number: int, image: AnnotatedImage) -> Annotation:
    x, y, width, height = map(float, entry["bbox"])
    box = image.clipped(x, y, x + width, y + height)
    area = read_area(entry, box[2] * box[3])
    clipped = {**entry, "id": number, "bbox": box, "area": area, "iscrowd": int(read_flag(entry, "iscrowd"))}
    if isinstance(entry.get("keypoints"), list):
        # Writers leave num_keypoints out, and pycocotools and mmpose rely on it.
        clipped["num_keypoints"] = sum(is_number(v) and v > 0 for v in entry["keypoints"][2::3])
    return cast("Annotation", clipped)
