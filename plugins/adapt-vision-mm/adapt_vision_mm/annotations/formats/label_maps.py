"""PNG label maps: a list of image names, a folder of images, and a folder of maps with the same names.

The values of all maps of a split together show what they mean:

    - at most as many values as classes: CLASS maps. Value k is class k of class_list; each connected component of a
      class (pixels that touch, also at a corner) becomes one instance.
    - one class, and no value but 0 and 255: CLASS maps, in which 255 is the class.
    - one class and more values: INSTANCE maps. Each value except 0 is one instance.
    - several classes and values from 1000 on: INSTANCE maps of several classes, as class x 1000 + number.

0 is the background. 255 means "ignore" (the outlines of Pascal VOC) in class maps, and in instance maps whose other
values are 1, 2, 3 and so on without a gap. Maps saved in colour are read by `palette`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy

from adapt_core.contracts.format import Place
from adapt_core.errors import DataError, InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Annotation, Category
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.formats.contract import AnnotationFormat, ReadOptions
from adapt_vision_mm.annotations.formats.label_values import BadMapError, are_interpolated, read_values, values_between
from adapt_vision_mm.annotations.image_files import find_image, image_defect, image_sizes
from adapt_vision_mm.annotations.image_lists import read_image_list
from adapt_vision_mm.annotations.sources import SplitSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adapt_vision_mm.annotations.formats.label_values import LabelMap

    Mask = NDArray[numpy.bool_]
    """(height, width)."""

log = logging.getLogger(__name__)

_BY_THOUSANDS = 1000
_IGNORE = 255
_FOLDERS = ("labels", "masks", "annotations", "SegmentationObject", "SegmentationClass")
_SEARCHED = 20
"""Class maps that are searched for signs of interpolation."""
_FEWEST_BETWEEN = 3
"""Classes that look like edges of others in maps of which that is said."""
_MIN_PIXELS = 4
"""Pixels below which a connected component of a class map is noise."""


class LabelMaps(AnnotationFormat):
    """Images next to PNG files of class or instance numbers."""

    def recognise(self, place: Place) -> str | None:
        """Return the annotation file where it is a list of names."""
        listed = place.files and place.files[0].suffix != ".json"
        return f"{place.files[0].name} is a list of images" if listed else None

    def list_unannotated(self, source: SplitSource) -> dict[int, Path] | None:
        """Return the images of a list of which none has a label map."""
        names, images = read_image_list(source.require_file()), _image_folder(source)
        folders = [place for place in _label_folders(source.root, images) if place.is_dir()]
        if any((place / f"{name}.png").exists() for place in folders for name in names):
            return None
        return {number: find_image(images, name) or images / f"{name}.jpg" for number, name in enumerate(names, 1)}

    def read_split(self, source: SplitSource, options: ReadOptions) -> AnnotatedSplit:
        """See `read`; the folders are found by their usual names where the config does not name them."""
        file = source.require_file()
        options = attrs.evolve(options, class_list=[name.strip() for name in options.class_list])
        check_classes(options.class_list, options.palette)
        images = _image_folder(source)
        files = LabelMapFiles(images=images, labels=find_label_folder(source.root, images), source=str(file))
        return read(read_image_list(file), files, options)


@attrs.frozen(kw_only=True)
class LabelMapFiles:
    """The files of a split: the folders of its images and label maps, and its list (for messages)."""

    images: Path
    labels: Path
    source: str


def read(names: Sequence[str], files: LabelMapFiles, options: ReadOptions) -> AnnotatedSplit:
    """Read and validate one split.

    Args:
        names: images without suffix.
        files: their folders.
        options: class names (the first is the class of value 1), colours for maps saved in colour, and whether bad rows
            are dropped.

    Raises:
        DataError: with file and reason.
    """
    rows = BadRows(files.source, skip=options.skip)
    maps: list[tuple[AnnotatedImage, LabelMap]] = []
    for number, name in enumerate(names, start=1):
        path, label = find_image(files.images, name), files.labels / f"{name}.png"
        reason = "image is missing" if path is None else image_defect(path)
        if reason is None and (label_reason := image_defect(label)) is not None:
            reason = label_reason.replace("image", f"label map {label.name}")
        if reason is not None or path is None:
            rows.add(str(reason), f"image {name!r}")
            continue
        upright, stored = image_sizes(path)
        try:
            values = read_values(label, options.palette)
        except BadMapError as defect:
            rows.add(str(defect), f"image {name!r}")
            continue
        height, width = values.shape
        if (width, height) not in (upright, stored):
            rows.add(f"image is {upright[0]} x {upright[1]}, its label map {width} x {height}", f"image {name!r}")
            continue
        image = AnnotatedImage(id=number, path=path, width=width, height=height, as_stored=(width, height) != upright)
        maps.append((image, values))
    images = _with_annotations(maps, options.class_list, files.source, rows)
    dropped = rows.counts()
    if not any(image.annotations for image in images):
        raise DataError(
            f"{files.source}: no label map contains an instance. 0 is the background, and 255 means ignore where there "
            "are several classes. Correct the maps."
        )
    categories = tuple(Category(id=number, name=name) for number, name in enumerate(options.class_list, start=1))
    return AnnotatedSplit(source=files.source, images=images, categories=categories, dropped=dropped)


def _image_folder(source: SplitSource) -> Path:
    names = (source.split, "images", "JPEGImages")
    usual = (path for path in map(source.root.joinpath, names) if path.is_dir())
    return source.image_folder or next(usual, source.root)


def _label_folders(root: Path, images: Path) -> list[Path]:
    return [*(images.parent / name for name in _FOLDERS), *(root / name for name in _FOLDERS)]


def find_label_folder(root: Path, images: Path) -> Path:
    """Return the folder of label maps: next to the images' folder, or in CUSTOM_DATASET_PATH.

    Raises:
        InputError: there is none.
    """
    candidates = _label_folders(root, images)
    found = next((path for path in candidates if path.is_dir() and next(path.glob("*.png"), None)), None)
    if found is None:
        raise InputError(f"no folder of PNG label maps in {root} (looked for {', '.join(_FOLDERS)}). Add one of them.")
    return found


def check_classes(class_list: Sequence[str], palette: Sequence[Sequence[int]]) -> None:
    """Check that class_list and palette fit together.

    Raises:
        InputError: no class, a repeated class, or a palette of another length or with other than three numbers.
    """
    if not all(class_list):
        raise InputError("class_list: a class name is empty. Give each class one.")
    if not class_list:
        raise InputError("class_list: label maps need the class names; the first is the class of value 1.")
    repeated = [name for name in class_list if list(class_list).count(name) > 1]
    if repeated:
        raise InputError(f"class_list names {repeated[0]!r} twice. Remove one.")
    if palette and len(palette) != len(class_list):
        raise InputError(
            f"palette has {len(palette)} colours for {len(class_list)} classes in class_list. Give each class one."
        )
    if any(len(colour) != 3 for colour in palette):
        raise InputError("palette: each colour is [red, green, blue]. Write three numbers from 0 to 255.")


def _with_annotations(
    maps: Sequence[tuple[AnnotatedImage, LabelMap]], class_list: Sequence[str], source: str, rows: BadRows
) -> tuple[AnnotatedImage, ...]:
    split_instances = _choose_reading([values for _, values in maps], len(class_list), source)
    images, count = [], 0
    for image, values in maps:
        annotations = []
        for class_number, mask in split_instances(values):
            if class_number > len(class_list):
                rows.add(f"label map has class {class_number} of {len(class_list)}", f"image {image.path.name!r}")
                continue
            count += 1
            annotations.append(_annotation(count, image.id, class_number, mask))
        images.append(attrs.evolve(image, annotations=tuple(annotations)))
    return tuple(images)


def _choose_reading(
    maps: Sequence[LabelMap], classes: int, source: str
) -> Callable[[LabelMap], list[tuple[int, Mask]]]:
    """Return the function that splits a map into instances: (class number, mask) each."""
    present = {int(value) for values in maps for value in numpy.unique(values) if value}
    if classes == 1 and present == {_IGNORE}:
        return lambda values: _connected_components(values // _IGNORE)
    highest = max(present - {_IGNORE}, default=0)
    if highest <= classes and present <= set(range(_IGNORE + 1)):
        _warn_of_values_between([numpy.where(values == _IGNORE, 0, values) for values in maps[:_SEARCHED]], source)
        return _connected_components
    if are_interpolated(maps):
        raise DataError(
            f"{source}: most of the {len(present)} values of its label maps are edges between others, as in a map that "
            "was resized with interpolation. Resize label maps to the nearest neighbour (Image.NEAREST, "
            "cv2.INTER_NEAREST)."
        )
    if classes == 1 and max(present) < _BY_THOUSANDS:
        numbered = present == {*range(1, highest + 1), _IGNORE} and highest < _IGNORE - 1
        left_out = (0, _IGNORE) if numbered else (0,)
        return lambda values: [(1, values == value) for value in numpy.unique(values) if value not in left_out]
    if max(present) >= _BY_THOUSANDS:
        return lambda values: [
            (int(value) // _BY_THOUSANDS, values == value) for value in numpy.unique(values) if value >= _BY_THOUSANDS
        ]
    raise DataError(
        f"{source}: its label maps have values up to {highest}, and class_list has {classes} classes. Class maps have "
        "1 to the number of classes; instance maps of several classes have class x 1000 + number."
        " Correct class_list or the maps."
    )


def _warn_of_values_between(maps: Sequence[LabelMap], source: str) -> None:
    """Warn of class maps that look as if they were resized with interpolation: thin classes may look alike."""
    between = values_between(maps)
    if len(between) >= _FEWEST_BETWEEN:
        log.warning(
            "%s: in its label maps, almost each pixel of the classes %s touches a lower and a higher value, as in maps "
            "that were resized with interpolation. If these were, resize them to the nearest neighbour (Image.NEAREST, "
            "cv2.INTER_NEAREST).",
            source,
            ", ".join(map(str, between)),
        )


def _connected_components(values: LabelMap) -> list[tuple[int, Mask]]:
    from scipy.ndimage import label

    found = []
    for value in numpy.unique(values):
        if value in (0, _IGNORE):
            continue
        numbered, count = label(values == value, structure=numpy.ones((3, 3)))
        masks = [numbered == number for number in range(1, count + 1)]
        found += [(int(value), mask) for mask in masks if mask.sum() >= _MIN_PIXELS]
    return found


def _annotation(identifier: int, image_id: int, class_number: int, mask: Mask) -> Annotation:
    from pycocotools import mask as rle

    encoded = rle.encode(numpy.asfortranarray(mask.astype("uint8")))
    return {
        "id": identifier,
        "image_id": image_id,
        "category_id": class_number,
        "bbox": [float(value) for value in rle.toBbox(encoded)],
        "area": float(rle.area(encoded)),
        "iscrowd": 0,
        "segmentation": {"size": list(map(int, encoded["size"])), "counts": encoded["counts"].decode()},
    }
