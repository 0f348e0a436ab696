"""Pascal VOC: ImageSets/Main/SPLIT.txt (without lists, every XML file trains), Annotations/*.xml and JPEGImages."""

from __future__ import annotations

import logging
import math
import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

import attrs

from adapt_core.contracts.format import Place
from adapt_core.errors import DataError, InputError

from adapt_vision_mm.annotations.annotated_split import (
    TOLERANCE,
    AnnotatedImage,
    AnnotatedSplit,
    Annotation,
    Category,
    one_line,
)
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.formats.contract import AnnotationFormat, ReadOptions
from adapt_vision_mm.annotations.image_files import SizeError, annotated_size, find_image, image_defect, image_sizes
from adapt_vision_mm.annotations.image_lists import read_image_list
from adapt_vision_mm.annotations.sources import SplitNotFoundError, SplitSource
from adapt_vision_mm.annotations.xml_files import read_xml

ANNOTATIONS, IMAGES = "Annotations", "JPEGImages"

_FLAGS = {"": 0, "0": 0, "false": 0, "no": 0, "unspecified": 0, "1": 1, "true": 1, "yes": 1}
"""What annotation tools write into <difficult>."""

log = logging.getLogger(__name__)


class PascalVoc(AnnotationFormat):
    """The format of the Pascal VOC challenges."""

    def recognise(self, place: Place) -> str | None:
        """Return VOC's folders where the dataset has them, and no JSON file was found or asked for."""
        has_folders = _is_home(_home(place.root))
        asked = place.named is not None and place.named.endswith(".json")
        found = any(path.suffix == ".json" for path in place.files)
        return f"there are {ANNOTATIONS}/ and {IMAGES}/" if has_folders and not asked and not found else None

    def list_unannotated(self, source: SplitSource) -> dict[int, Path] | None:
        """Return the images of a list of which none has an XML file."""
        source = attrs.evolve(source, root=_home(source.root))
        names_file = _find_list(source)
        names = read_image_list(names_file) if names_file is not None else []
        if any((source.root / ANNOTATIONS / f"{name}.xml").exists() for name in names):
            return None
        folder = source.root / IMAGES
        return {number: find_image(folder, name) or folder / f"{name}.jpg" for number, name in enumerate(names, 1)}

    def read_split(self, source: SplitSource, options: ReadOptions) -> AnnotatedSplit:
        """See `read`; where there is no list at all, every XML file is a training file."""
        source = attrs.evolve(source, root=_home(source.root))
        if not (source.root / ANNOTATIONS).is_dir():
            raise InputError(
                f"CUSTOM_DATASET_PATH: {source.root} has no folder {ANNOTATIONS}, which Pascal VOC has. "
                "Correct the path."
            )
        names_file = _find_list(source)
        if names_file is None:
            folder = source.root / ANNOTATIONS
            names, origin = sorted(path.stem for path in folder.glob("[!.]*.xml")), folder
        else:
            names, origin = read_image_list(names_file), names_file
        return read(source.root, names, options.classes, str(origin), skip=options.skip)


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
    misnamed: list[str] = []
    for number, name in enumerate(names, start=1):
        try:
            image, objects, given = _parse(root, name, number)
        except _BadFileError as defect:
            rows.add(str(defect), f"image {name!r}")
            continue
        if given is not None:
            misnamed.append(f"{name}.xml says {given}, and {image.path.name} is read")
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
    if misnamed:
        log.warning(
            "%s: %d XML files have a <filename> of another image; their own name counts (%s)",
            source,
            len(misnamed),
            misnamed[0],
        )
    dropped = rows.counts()
    if classes is None:
        classes = sorted({item.name for _, objects in parsed for item in objects})
    if not any(objects for _, objects in parsed):
        raise DataError(f"{source}: no image has an object that can be used. Add them, or name another list.")
    return AnnotatedSplit(
        source=source,
        images=_with_annotations(parsed, classes),
        categories=tuple(Category(id=number, name=name) for number, name in enumerate(classes, start=1)),
        dropped=dropped,
    )


def _is_home(folder: Path) -> bool:
    return (folder / ANNOTATIONS).is_dir() and (folder / IMAGES).is_dir()


def _home(root: Path) -> Path:
    """Return the folder of VOC's folders: the root, or the one below it that VOC's archives unpack to."""
    if _is_home(root):
        return root
    below = [folder for pattern in ("VOC*", "VOCdevkit/VOC*") for folder in root.glob(pattern) if _is_home(folder)]
    return below[0] if len(below) == 1 else root


class _BadFileError(Exception):
    """An XML file or its image cannot be used; the message is the reason."""


@attrs.frozen
class _Object:
    """An object of an XML file as it is written.

    Attributes:
        name: its class; empty where the file has none.
        corners: left, top, right and bottom in pixels; None where the file has none.
        difficult: 0 or 1; None where the file says neither.
        written: what the file has as <difficult>.
    """

    name: str
    corners: tuple[float, float, float, float] | None
    difficult: int | None
    written: str

    def defect(self, image: AnnotatedImage) -> str | None:
        """Return why the object cannot be used, or None."""
        if not self.name:
            return "it has no <name>"
        if self.corners is None:
            return "it has no <bndbox> of four numbers"
        if self.difficult is None:
            return f"<difficult> is {self.written!r}; it is 0 or 1"
        left, top, right, bottom = self.corners
        if not (right > left and bottom > top):
            return f"box of zero area {list(self.corners)}"
        if image.beyond(left, top, right, bottom) > TOLERANCE:
            return f"box {list(self.corners)} extends beyond the image ({image.width} x {image.height})"
        return None

    def clipped_box(self, image: AnnotatedImage) -> list[float]:
        """Return [x, y, width, height] inside the image, of an object without defect."""
        assert self.corners is not None
        return image.clipped(*self.corners)


def _find_list(source: SplitSource) -> Path | None:
    """Return the list of the split's images; None for a training split of a data set that has no lists.

    Raises:
        SplitNotFoundError: the list does not exist.
        InputError: the training split has no list, and another split has one.
    """
    lists = source.root / "ImageSets" / "Main"
    name = source.name if source.given and not source.name.endswith(".json") else f"{source.split}.txt"
    found = next((path for path in (source.root / name, lists / name) if path.is_file()), None)
    if found is not None:
        return found
    if source.split != "train" or (source.given and name == source.name):
        raise SplitNotFoundError(
            f"{source.split}_ann_file: {name} was not found in {source.root} nor in ImageSets/Main."
        )
    others = [path.name for path in sorted(lists.glob("*.txt"))]
    others += [name for name in ("trainval.txt", "val.txt", "test.txt") if (source.root / name).is_file()]
    if others:
        raise InputError(
            f"{source.root}: ImageSets/Main/train.txt (the names of the training images) is missing. Name a list in "
            f"train_ann_file; there are {', '.join(others[:5])}."
        )
    return None


def _parse(root: Path, name: str, number: int) -> tuple[AnnotatedImage, list[_Object], str | None]:
    """Return an image, its objects, and the <filename> where that is the name of another image."""
    file = f"{ANNOTATIONS}/{name}.xml"
    try:
        tree = read_xml(root / file).root
    except DataError as error:
        raise _BadFileError(str(error).rstrip(".") if os.path.isfile(root / file) else f"{file} is missing") from None
    path, other = _find_image(root / IMAGES, name, tree)
    reason = image_defect(path)
    if reason is not None:
        raise _BadFileError(reason)
    upright, stored = image_sizes(path)
    size = (_read_side(tree, "width", file), _read_side(tree, "height", file))
    try:
        width, height = annotated_size(size, upright, stored)
    except SizeError as error:
        raise _BadFileError(str(error)) from None
    image = AnnotatedImage(id=number, path=path, width=width, height=height, as_stored=(width, height) != upright)
    return image, [_parse_object(item) for item in tree.iter("object")], other


def _find_image(folder: Path, name: str, tree: ET.Element) -> tuple[Path, str | None]:
    """Return the image of an XML file, and its <filename> where that is another's.

    The XML file's own name counts: tools copy XML files and leave <filename> as it was. Where no image has that name,
    <filename> counts, unless it is the image of another XML file.
    """
    given = PureWindowsPath((tree.findtext("filename") or "").strip()).name  # with / or \ between folders
    if PureWindowsPath(given).stem == name and os.path.isfile(folder / given):
        return folder / given, None
    own = find_image(folder, name)
    if own is not None:
        return own, given if given and name not in (given, PureWindowsPath(given).stem) else None
    named = folder / given
    taken = (folder.parent / ANNOTATIONS / f"{named.stem}.xml").is_file()
    return (named if given and not taken and os.path.isfile(named) else folder / f"{name}.jpg"), None


def _read_side(tree: ET.Element, key: str, file: str) -> float:
    """Return <width> or <height>, 0 where there is none."""
    text = (tree.findtext(f"size/{key}") or "").strip()
    try:
        value = float(text or 0)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _BadFileError(f"{file}: <{key}> is {text!r}, not a number")
    return value


def _parse_object(item: ET.Element) -> _Object:
    try:
        left, top, right, bottom = (
            float(item.findtext(f"bndbox/{key}") or "") for key in ("xmin", "ymin", "xmax", "ymax")
        )
        # VOC counts pixels from 1 and both corners belong to the box; COCO's corners are between pixels.
        corners = (left - 1, top - 1, right, bottom) if math.isfinite(left + top + right + bottom) else None
    except ValueError:
        corners = None
    written = (item.findtext("difficult") or "").strip()
    return _Object(one_line(item.findtext("name") or ""), corners, _FLAGS.get(written.casefold()), written)


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
                    "iscrowd": int(item.difficult or 0),
                }
            )
        images.append(attrs.evolve(image, annotations=tuple(annotations)))
    return tuple(images)
