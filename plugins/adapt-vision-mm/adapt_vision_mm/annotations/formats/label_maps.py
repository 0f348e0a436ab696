"""PNG label maps into an `AnnotatedSplit`: TRAIN_DIR's images beside maps of the same name.

What the values of the maps mean is read off all maps of a split together:

    - at most as many values as classes: CLASS maps. Value k is class k of class_list; each connected piece of a class
      (pixels that touch, also at a corner) becomes one instance.
    - one class and more values: INSTANCE maps. Each value but 0 is one instance.
    - several classes and values from 1000 on: INSTANCE maps of several classes, as class x 1000 + number.

0 is the background and 255 means "ignore" in class maps. Maps saved in colour are read by `palette`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from adapt_core.errors import DataError, InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Category
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.image_files import SUFFIXES, image_fault, sizes

_BY_THOUSANDS = 1000
_IGNORE = 255
_FOLDERS = ("labels", "masks", "annotations", "SegmentationObject", "SegmentationClass")
_SMALLEST = 4
"""Pixels below which a connected piece of a class map is noise."""


def read(  # noqa: PLR0913
    names: Sequence[str], images: Path, labels: Path, class_list: Sequence[str], palette: Any, source: str, skip: bool
) -> AnnotatedSplit:
    """Reads and validates one split.

    Args:
        names: images without suffix.
        images, labels: their folders.
        class_list: class names; the first is the class of value 1.
        palette: a colour for each class, for maps saved in colour.
        source: the split's file, for messages.
        skip: drop and count what cannot be used, instead of stopping.

    Raises:
        DataError: with file and reason.
    """
    rows = BadRows(source, skip)
    read_maps: list[tuple[dict[str, Any], Any]] = []
    for number, name in enumerate(names, start=1):
        where = f"image {name!r}"
        path = next((images / f"{name}{s}" for s in SUFFIXES if (images / f"{name}{s}").is_file()), None)
        label = labels / f"{name}.png"
        fault = "image is missing" if path is None else image_fault(path)
        if fault is None and (label_fault := image_fault(label)) is not None:
            fault = label_fault.replace("image", f"label map {label.name}")
        if fault is not None or path is None:
            rows.add(str(fault), where)
            continue
        shown, stored = sizes(path)
        values = _values(label, palette)
        size = (values.shape[1], values.shape[0])
        if size not in (shown, stored):
            rows.add(f"image is {shown[0]} x {shown[1]}, its label map {size[0]} x {size[1]}", where)
            continue
        picture: dict[str, Any] = {"id": number, "path": path, "width": size[0], "height": size[1]}
        picture["as_stored"] = size != shown
        read_maps.append((picture, values))
    by_instance = _by_instance([values for _, values in read_maps], len(class_list), source)
    pictures, identifier = [], 0
    for picture, values in read_maps:
        annotations = []
        for label_number, mask in by_instance(values):
            if label_number > len(class_list):
                rows.add(f"label map has class {label_number} of {len(class_list)}", f"image {picture['path'].name!r}")
                continue
            identifier += 1
            annotations.append(_annotation(identifier, picture["id"], label_number, mask))
        pictures.append(AnnotatedImage(**picture, annotations=tuple(annotations)))
    dropped = rows.settle()
    if not any(picture.annotations for picture in pictures):
        raise DataError(f"{source}: no label map holds an instance.")
    categories = tuple(Category(id=number, name=name) for number, name in enumerate(class_list, start=1))
    return AnnotatedSplit(source=source, pictures=tuple(pictures), categories=categories, dropped=dropped)


def folder_of(root: Path, given: Path | None) -> Path:
    """The folder of label maps: beside the images' folder, or in CUSTOM_DATASET_PATH.

    Raises:
        InputError: there is none.
    """
    candidates = [*([given.parent / name for name in _FOLDERS] if given else []), *(root / name for name in _FOLDERS)]
    found = next((path for path in candidates if path.is_dir() and next(path.glob("*.png"), None)), None)
    if found is None:
        raise InputError(f"no folder of PNG label maps in {root} (looked for {', '.join(_FOLDERS)}).")
    return found


def check_classes(class_list: Sequence[str], palette: Sequence[Sequence[int]]) -> None:
    """Sees that class_list and palette fit together.

    Raises:
        InputError: no class, a class twice, or a palette of another length or with other than three numbers.
    """
    if not class_list:
        raise InputError("class_list: label maps need the class names; the first is the class of value 1.")
    twice = [name for name in class_list if list(class_list).count(name) > 1]
    if twice:
        raise InputError(f"class_list names {twice[0]!r} twice.")
    if palette and len(palette) != len(class_list):
        raise InputError(f"palette has {len(palette)} colours for {len(class_list)} classes in class_list.")
    if any(len(colour) != 3 for colour in palette):
        raise InputError("palette: each colour is [red, green, blue].")


def _values(path: Path, palette: Any) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        if image.mode in ("RGB", "RGBA"):
            pixels = numpy.asarray(image.convert("RGB")).astype(numpy.int64)
            values = numpy.zeros(pixels.shape[:2], dtype=numpy.int64)
            for number, colour in enumerate(palette, start=1):
                values[(pixels == numpy.asarray(colour)).all(-1)] = number
            if not palette:
                raise DataError(f"{path}: the label map is in colour; give palette, one colour for each class.")
            return values
        return numpy.asarray(image).astype(numpy.int64)


def _by_instance(maps: Sequence[Any], classes: int, source: str) -> Any:
    """The function that takes a map apart into (class number, mask)."""
    highest = max((int(values[values != _IGNORE].max(initial=0)) for values in maps), default=0)
    largest = max((int(values.max(initial=0)) for values in maps), default=0)
    if highest <= classes and largest <= _IGNORE:
        return _pieces
    if classes == 1 and largest < _BY_THOUSANDS:
        return lambda values: [(1, values == value) for value in numpy.unique(values) if value]
    if largest >= _BY_THOUSANDS:
        return lambda values: [
            (int(value) // _BY_THOUSANDS, values == value) for value in numpy.unique(values) if value >= _BY_THOUSANDS
        ]
    raise DataError(
        f"{source}: its label maps hold values up to {highest}, and class_list has {classes} classes. Class maps hold "
        "1 to the number of classes; instance maps of several classes hold class x 1000 + number."
    )


def _pieces(values: Any) -> list[tuple[int, Any]]:
    from scipy.ndimage import label

    found = []
    for value in numpy.unique(values):
        if value in (0, _IGNORE):
            continue
        numbered, count = label(values == value, structure=numpy.ones((3, 3)))
        pieces = [numbered == number for number in range(1, count + 1)]
        found += [(int(value), piece) for piece in pieces if piece.sum() >= _SMALLEST]
    return found


def _annotation(identifier: int, image_id: int, label_number: int, mask: Any) -> dict[str, Any]:
    from pycocotools import mask as rle

    encoded = rle.encode(numpy.asfortranarray(mask.astype("uint8")))
    return {
        "id": identifier,
        "image_id": image_id,
        "category_id": label_number,
        "bbox": [float(value) for value in rle.toBbox(encoded)],
        "area": float(rle.area(encoded)),
        "iscrowd": 0,
        "segmentation": {"size": list(map(int, encoded["size"])), "counts": encoded["counts"].decode()},
    }
