"""The base of exports of annotation tools: files with images and objects, wherever the images lie now."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import attrs

from adapt_core.contracts.format import Place
from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import (
    AnnotatedImage,
    AnnotatedSplit,
    Annotation,
    Category,
    one_line,
)
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.coco_images import SPLIT_FOLDERS
from adapt_vision_mm.annotations.export_places import beginning_of, find_exports
from adapt_vision_mm.annotations.formats.contract import AnnotationFormat, ReadOptions
from adapt_vision_mm.annotations.formats.entries import Entry, Export, entries_of
from adapt_vision_mm.annotations.formats.objects import Fault, Item, annotation_of
from adapt_vision_mm.annotations.image_files import SizeError, annotated_size, image_defect, image_sizes
from adapt_vision_mm.annotations.image_search import ImageSearch, is_address
from adapt_vision_mm.annotations.repeats import Seen, without_repeats
from adapt_vision_mm.annotations.shapes import ShapeError
from adapt_vision_mm.annotations.sources import SplitNotFoundError, SplitSource, place_of_split

log = logging.getLogger(__name__)


class ExportFormat(AnnotationFormat):
    """Base of the formats of annotation tools.

    A split is one file or several, whose classes are united by their names.

    Attributes:
        suffixes: of its files.
        tool: what messages call it.
        per_image: whether a file has one image: it is named like that, which says nothing of splits, and two files
            of one image are an error.
    """

    reads_folders = True
    suffixes: ClassVar[tuple[str, ...]]
    tool: ClassVar[str]
    per_image: ClassVar[bool] = False

    def __init__(self) -> None:
        self._splits: dict[tuple[Path, ...], frozenset[str | None]] = {}

    @abstractmethod
    def looks(self, beginning: str) -> bool:
        """Return whether a file is one of these, by its first characters."""

    @abstractmethod
    def read_export(self, files: Sequence[Path]) -> Export:
        """Return the images of files.

        Raises:
            DataError: one cannot be read as a whole.
        """

    @abstractmethod
    def read_items(self, entry: Entry, image: AnnotatedImage) -> Iterable[Item | Fault]:
        """Return the objects of an image in pixels."""

    def embedded(self, entry: Entry) -> Path | None:
        """Return the image that the export itself holds, as a file; None where it holds none."""
        return None

    def recognise(self, place: Place) -> str | None:
        """Return the first file of the split that looks like an export; all must where the config names them."""
        if place.files and not self._are_exports(place.files):
            return None
        found = find_exports(place, self, all_files=False) or place.files
        if not found:
            return None
        return f"{found[0].name} is an export of {self.tool}"

    def names_split(self, train: Place, split: str) -> bool:
        """Return whether the data set has files of a split, or those of the training split say what belongs to it."""
        if self._find(place_of_split(train, split)):
            return True
        return split in self._splits_of(self._find(train))

    def list_unannotated(self, source: SplitSource) -> Mapping[int, Path] | None:
        """Return the images of a split of which none has an object."""
        try:
            export = self._export(source)
        except DataError:
            return None
        if not all(entry.is_bare for entry in export.entries):
            return None
        search = self._search(source, export)
        found = [_find_image(search, entry) for entry in export.entries]
        return {number: path for number, path in enumerate(found, start=1) if path is not None}

    def read_split(self, source: SplitSource, options: ReadOptions) -> AnnotatedSplit:
        """See `AnnotationFormat`."""
        export = self._export(source)
        origin = _origin(export, source)
        rows = BadRows(origin, skip=options.skip)
        search = self._search(source, export)
        read: list[tuple[AnnotatedImage, list[tuple[Item, dict[str, Any]]]]] = []
        taken: dict[Path, tuple[Entry, int]] = {}
        repeated = 0
        points: dict[str, None] = {}
        for entry in export.entries:
            image = self._image(entry, search, rows)
            if image is None:
                continue
            first, number = taken.setdefault(image.path, (entry, len(read)))
            if first is not entry and (first.file == entry.file or self.per_image):
                rows.add(
                    f"its image is also that of another entry ({first.where})", f"{entry.where}: {image.path.name}"
                )
                continue
            if first is entry:
                read.append((attrs.evolve(image, id=number + 1), []))
            found = list(self._objects(entry, image, options, rows, points))
            fresh = without_repeats(found, read[number][1], _seen)
            repeated += len(found) - len(fresh)
            read[number][1].extend(fresh)
        if points:
            log.warning("%s: %d bodies or points without a box or an outline are left out", origin, len(points))
        if repeated:
            log.warning("%s: %d objects that several files have are read once", origin, repeated)
        search.warn_of_outside()
        categories = _categories(export, read, source, options)
        images = _annotated(read, categories, options, rows)
        dropped = rows.counts()
        if not any(image.annotations for image in images):
            only = f", but {len(points)} bodies or points, as pose_detection needs them" if points else ""
            raise DataError(f"{origin}: no image has an object that can be used{only}. Add them, or name another file.")
        return AnnotatedSplit(source=origin, images=images, categories=categories, dropped=dropped)

    def _are_exports(self, files: Sequence[Path]) -> bool:
        return all(file.suffix.casefold() in self.suffixes and self.looks(beginning_of(file)) for file in files)

    def _read(self, files: Sequence[Path]) -> Export:
        export = self.read_export(files)
        self._splits[tuple(files)] = frozenset(entry.split for entry in export.entries)
        return export

    def _splits_of(self, files: Sequence[Path]) -> frozenset[str | None]:
        """Return the splits that entries say they belong to; files that were read are not read again for that."""
        if tuple(files) not in self._splits:
            self._read(files)
        return self._splits[tuple(files)]

    def _find(self, place: Place) -> list[Path]:
        return find_exports(place, self, all_files=True)

    def _export(self, source: SplitSource) -> Export:
        files, is_own = self._find(source.place), True
        if not files and source.like is not None and source.image_folder is None:
            files, is_own = self._find(source.like.place), False
        if not files or (not is_own and source.split not in self._splits_of(files)):
            raise SplitNotFoundError(
                f"{source.split}_ann_file: there is no export of {self.tool} ({', '.join(self.suffixes)}) of the "
                f"{source.split} split in {source.image_folder or source.root}. Name its file."
            )
        export = self._read(files)
        if not export.entries:
            raise DataError(f"{files[0]} is not an export of {self.tool} with images: it has none. Export it again.")
        own = entries_of(export.entries, source.split, is_own=is_own)
        if not own:
            others = ", ".join(sorted({repr(entry.subset) for entry in export.entries}))
            raise DataError(
                f"{files[0]}: its images belong to other subsets ({others}) than the {source.split} split. Name "
                "another file, or correct the subsets and export it again."
            )
        return attrs.evolve(export, entries=own)

    def _search(self, source: SplitSource, export: Export) -> ImageSearch:
        beside = dict.fromkeys(entry.file.parent for entry in export.entries)
        folders = [source.image_folder] if source.image_folder is not None else []
        folders += [folder for each in beside for folder in (each, each / "images", each.parent / "images")]
        names = SPLIT_FOLDERS[source.split]
        folders += [source.root / place for name in names for place in (name, f"images/{name}", f"{name}/images")]
        folders += [source.root / "images", source.root]
        return ImageSearch(_origin(export, source), source.root, [f for f in dict.fromkeys(folders) if f.is_dir()])

    def _image(self, entry: Entry, search: ImageSearch, rows: BadRows) -> AnnotatedImage | None:
        """Return the image of an entry, with the id 0; None where it cannot be used, which `rows` is told."""
        if entry.fault is not None:
            rows.add(entry.fault, entry.where)
            return None
        path = _find_image(search, entry) or self.embedded(entry)
        if path is None:
            remote = any(map(is_address, entry.names))
            reason = "its image is on a server: copy it into CUSTOM_DATASET_PATH" if remote else "image is missing"
            rows.add(reason, entry.where)
            return None
        if (defect := image_defect(path)) is not None:
            rows.add(defect, f"{entry.where}: {path}")
            return None
        upright, stored = image_sizes(path)
        try:
            width, height = annotated_size(entry.size, upright, stored)
        except SizeError as error:
            rows.add(str(error), entry.where)
            return None
        return AnnotatedImage(id=0, path=path, width=width, height=height, as_stored=(width, height) != upright)

    def _objects(
        self, entry: Entry, image: AnnotatedImage, options: ReadOptions, rows: BadRows, points: dict[str, None]
    ) -> Iterator[tuple[Item, dict[str, Any]]]:
        for item in self.read_items(entry, image):
            is_points = (
                item.of_point if isinstance(item, Fault) else all(shape.kind == "point" for shape in item.shapes)
            )
            if is_points and options.kind in ("boxes", "masks"):
                points[item.where] = None
            elif isinstance(item, Fault):
                rows.add(item.reason, item.where)
            elif not one_line(item.label):
                rows.add("it has no class", item.where)
            elif (known := options.classes) is not None and one_line(item.label) not in known:
                told = ", ".join(map(repr, known[:10]))
                rows.add(f"class {item.label!r} is not one of the training split ({told})", item.where)
            else:
                try:
                    yield item, annotation_of(item, image, options.kind)
                except ShapeError as defect:
                    rows.add(str(defect), item.where)


def _seen(read: tuple[Item, dict[str, Any]]) -> Seen:
    return one_line(read[0].label), read[1]["bbox"]


def _find_image(search: ImageSearch, entry: Entry) -> Path | None:
    return next((path for name in entry.names if (path := search.find(name)) is not None), None)


def _origin(export: Export, source: SplitSource) -> str:
    files = list(dict.fromkeys(entry.file for entry in export.entries))
    return str(files[0]) if len(files) == 1 else str(files[0].parent) if files else str(source.root)


Read = Sequence[tuple[AnnotatedImage, Sequence[tuple[Item, dict[str, Any]]]]]
"""Images with their objects, each as it was read and as an annotation."""


def _categories(export: Export, read: Read, source: SplitSource, options: ReadOptions) -> tuple[Category, ...]:
    used = {one_line(item.label) for _, items in read for item, _ in items}
    listed = dict.fromkeys(map(one_line, export.classes))
    names = [*listed, *sorted(used - set(listed))] if options.classes is None else list(options.classes)
    points: dict[str, set[str]] = {}
    if options.kind in (None, "keypoints"):
        for _, items in read:
            for item, _ in items:
                points.setdefault(one_line(item.label), set()).update(item.points)
    return tuple(
        Category(id=number, name=name, keypoints=source.keypoints.get(name) or tuple(sorted(points.get(name, ()))))
        for number, name in enumerate(names, start=1)
    )


def _annotated(
    read: Read, categories: Sequence[Category], options: ReadOptions, rows: BadRows
) -> tuple[AnnotatedImage, ...]:
    by_name = {category.name: category for category in categories}
    images, count = [], 0
    for image, items in read:
        kept: list[Annotation] = []
        for item, values in items:
            category = by_name[one_line(item.label)]
            unknown = next((name for name in item.points if name not in category.keypoints), None)
            if category.keypoints and unknown is not None:
                rows.add(f"the point {unknown!r} is none of the training split", item.where)
                continue
            found = {"category_id": category.id, **values}
            if category.keypoints:
                numbers = [side for name in category.keypoints for side in item.points.get(name, (0.0, 0.0, 0))]
                found |= {"keypoints": numbers, "num_keypoints": sum(seen > 0 for seen in numbers[2::3])}
            reason = options.check(found, category, image) if options.check else None
            if reason is not None:
                rows.add(reason, item.where)
                continue
            count += 1
            kept.append(cast("Annotation", {"id": count, "image_id": image.id, **found}))
        images.append(attrs.evolve(image, annotations=tuple(kept)))
    return tuple(images)
