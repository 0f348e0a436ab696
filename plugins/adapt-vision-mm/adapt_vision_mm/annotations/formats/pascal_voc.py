"""Pascal VOC: ImageSets/Main/SPLIT.txt (or every XML file), Annotations/*.xml and JPEGImages."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import attrs

from adapt_core.errors import DataError, InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Annotation, Category
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.formats.contract import AnnotationFormat, AnnotationKind, ReadOptions
from adapt_vision_mm.annotations.image_files import find_image, image_defect, image_sizes
from adapt_vision_mm.annotations.image_lists import read_image_list
from adapt_vision_mm.annotations.sources import SplitNotFoundError, SplitSource

ANNOTATIONS, IMAGES = "Annotations", "JPEGImages"


@attrs.frozen
class PascalVoc:
    """The format of the Pascal VOC challenges."""

    summary: str = "Pascal VOC"
    kinds: frozenset[AnnotationKind] = frozenset({"boxes"})

    def recognise(self, source: SplitSource) -> bool:
        """Return whether the dataset has VOC's folders, and no JSON file was found."""
        has_folders = (source.root / ANNOTATIONS).is_dir() and (source.root / IMAGES).is_dir()
        return has_folders and (source.file is None or source.file.suffix != ".json")

    def read(self, source: SplitSource, options: ReadOptions) -> AnnotatedSplit:
        """See `read`; without a list for val or test, every XML file is read."""
        names_file = _find_list(source)
        if names_file is None:
            folder = source.root / ANNOTATIONS
            names, origin = sorted(path.stem for path in folder.glob("*.xml")), folder
        else:
            names, origin = read_image_list(names_file), names_file
        return read(source.root, names, options.classes, str(origin), skip=options.skip)


FORMAT: AnnotationFormat = PascalVoc()


def read(root: Path, names: Sequence[str], classes: Sequence[str] | None, source: str, *, skip: bool) -> AnnotatedSplit:
    """Read and validate one split.

    Args:
        root: the folder that holds Annotations/ and JPEGImages/.
        names: images without their suffix.
        classes: class names by label; None for those of this split, in alphabetical order.
        source: the split's file, for messages.
        skip: drop and count bad rows instead of raising an error.

    Raises:
        DataError: with file and reason.
    """
    rows = BadRows(source, skip=skip)
    parsed: list[tuple[AnnotatedImage, list[_Object]]] = []
    for number, name in enumerate(names, start=1):
        try:
            image, objects = _parse(root, name, number)
        except _BadFileError as defect:
            rows.add(str(defect), f"image {name!r}")
            continue
        kept = []
        for position, item in enumerate(objects, start=1):
            reason = item.defect(image)
            if reason is None and classes is not None and item.name not in classes:
                reason = f"unknown class {item.name!r}"
            if reason is not None:
                rows.add(reason, f"{root / ANNOTATIONS / f'{name}.xml'} object {position}")
            else:
                kept.append(item)
        parsed.append((image, kept))
    dropped = rows.counts()
    if classes is None:
        classes = sorted({item.name for _, objects in parsed for item in objects})
    if not any(objects for _, objects in parsed):
        raise DataError(f"{source}: no image has an object that can be used.")
    return AnnotatedSplit(
        source=source,
        images=_with_annotations(parsed, classes),
        categories=tuple(Category(id=number, name=name) for number, name in enumerate(classes, start=1)),
        dropped=dropped,
    )


class _BadFileError(Exception):
    """An XML file or its image cannot be used; the message is the reason."""


@attrs.frozen
class _Object:
    """An object of an XML file: its class, its left, top, right and bottom in pixels, and whether it is difficult."""

    name: str
    corners: tuple[float, float, float, float]
    difficult: int

    def defect(self, image: AnnotatedImage) -> str | None:
        """Return why the box cannot be used, or None."""
        left, top, right, bottom = self.corners
        if not (right > left and bottom > top):
            return f"box of zero area {list(self.corners)}"
        if min(left, top) < -1 or right > image.width + 1 or bottom > image.height + 1:
            return f"box {list(self.corners)} extends beyond the image ({image.width} x {image.height})"
        return None

    def clipped_box(self, image: AnnotatedImage) -> list[float]:
        """Return [x, y, width, height] inside the image."""
        left, top, right, bottom = self.corners
        left, top = max(left, 0.0), max(top, 0.0)
        return [left, top, min(right, float(image.width)) - left, min(bottom, float(image.height)) - top]


def _find_list(source: SplitSource) -> Path | None:
    """Return the list of the split's images; None where every XML file counts.

    Raises:
        SplitNotFoundError: the config names a list that does not exist.
        InputError: the training split has no list.
    """
    named = not source.name.endswith(".json")
    name = source.name if named else f"{source.split}.txt"
    candidates = [source.root / name, source.root / "ImageSets" / "Main" / name]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None and named:
        raise SplitNotFoundError(
            f"{source.split}_ann_file: {name} was not found in {source.root} nor in ImageSets/Main."
        )
    if found is None and source.split == "train":
        raise InputError(f"{source.root}: ImageSets/Main/train.txt (the names of the training images) is missing.")
    return found


def _parse(root: Path, name: str, number: int) -> tuple[AnnotatedImage, list[_Object]]:
    file = f"{ANNOTATIONS}/{name}.xml"
    try:
        tree = ET.parse(root / file).getroot()  # noqa: S314 - external entities are not expanded
    except FileNotFoundError:
        raise _BadFileError(f"{file} is missing") from None
    except (OSError, ET.ParseError) as error:
        raise _BadFileError(f"{file} cannot be read ({error})") from None
    folder = root / IMAGES
    given = tree.findtext("filename")
    named = folder / given if given and (folder / given).is_file() else None
    path = named or find_image(folder, name) or folder / f"{name}.jpg"
    reason = image_defect(path)
    if reason is not None:
        raise _BadFileError(reason)
    upright, stored = image_sizes(path)
    size = (int(tree.findtext("size/width") or 0), int(tree.findtext("size/height") or 0))
    width, height = size if all(size) else upright
    if (width, height) not in (upright, stored):
        raise _BadFileError(f"image is {upright[0]} x {upright[1]}, annotated as {width} x {height}")
    image = AnnotatedImage(id=number, path=path, width=width, height=height, as_stored=(width, height) != upright)
    return image, [_parse_object(item, file) for item in tree.iter("object")]


def _parse_object(item: ET.Element, file: str) -> _Object:
    try:
        left, top, right, bottom = (
            float(item.findtext(f"bndbox/{key}") or "") for key in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError:
        raise _BadFileError(f"{file}: an object has no bndbox") from None
    # VOC counts pixels from 1 and both corners belong to the box; COCO's corners are between pixels.
    corners = (left - 1, top - 1, right, bottom)
    return _Object(str(item.findtext("name")), corners, int(item.findtext("difficult") or 0))


def _with_annotations(
    parsed: Sequence[tuple[AnnotatedImage, Sequence[_Object]]], classes: Sequence[str]
) -> tuple[AnnotatedImage, ...]:
    ids = {name: number for number, name in enumerate(classes, start=1)}
    images, count = [], 0
    for image, objects in parsed:
        annotations: list[Annotation] = []
        for item in objects:
            count += 1
            box = item.clipped_box(image)
            annotations.append(
                {
                    "id": count,
                    "image_id": image.id,
                    "category_id": ids[item.name],
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": item.difficult,
                }
            )
        images.append(attrs.evolve(image, annotations=tuple(annotations)))
    return tuple(images)
