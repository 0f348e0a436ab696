"""YOLO: a text file of labels for each image, class names in `data.yaml`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import attrs

from adapt_core.contracts.format import Place
from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Annotation, Category
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.formats.contract import AnnotationFormat, ReadOptions
from adapt_vision_mm.annotations.formats.yolo_labels import LabelError, read_label
from adapt_vision_mm.annotations.formats.yolo_layout import (
    Layout,
    find_data_yaml,
    find_label,
    label_file,
    lists_labelled,
    read_layout,
    read_lines,
)
from adapt_vision_mm.annotations.image_files import image_defect, image_sizes
from adapt_vision_mm.annotations.sources import DATA_YAML, SplitNotFoundError, SplitSource

log = logging.getLogger(__name__)

_OWN = (*DATA_YAML, ".txt")
_VOC = ("Annotations", "JPEGImages")


class Yolo(AnnotationFormat):
    """The format of Ultralytics' data sets: boxes, polygons and keypoints."""

    reads_folders = True

    def recognise(self, place: Place) -> str | None:
        """Return what shows the training split, or a file that a key names for another; see `_as_training`."""
        named = place.named if place.named is not None and place.named.endswith(_OWN) else None
        if (place.named is not None and named is None) or (place.split != "train" and named is None):
            return None
        if all((place.root / name).is_dir() for name in _VOC):  # VOC's tools write such labels beside its own files
            return None
        own = next(iter(place.files), None)
        if own is not None and own.suffix.casefold() not in _OWN:
            return None
        if own is not None and own.suffix.casefold() == ".txt":
            return f"{own.name} lists images with labels of YOLO" if lists_labelled(own, place.root) else None
        labels, file = find_label(place.root), find_data_yaml(place)
        if file is not None and (labels is not None or self._is_meant(place)):
            return f"{file.name} names classes and images"
        return None if labels is None else f"{labels.relative_to(place.root)} has labels of YOLO"

    def _is_meant(self, place: Place) -> bool:
        """Return whether `data.yaml` without labels is: who mistyped the name of a COCO file is told of that name."""
        return place.named is not None or not any(any(place.root.glob(each)) for each in ("*.json", "*/*.json"))

    def names_split(self, train: Place, split: str) -> bool:
        """Return whether the data set has images of a split."""
        return read_layout(train).images(split, None) is not None

    def list_unannotated(self, source: SplitSource) -> dict[int, Path] | None:
        """Return the images of a split of which none has a label file with a line."""
        images = _layout(source).images(source.split, source.image_folder) or []
        labels = [label_file(image) for image in images]
        if any(path.is_file() and path.stat().st_size for path in labels):
            return None
        return dict(enumerate(images, start=1))

    def read_split(self, source: SplitSource, options: ReadOptions) -> AnnotatedSplit:
        """See `AnnotationFormat`; an image without a label file, or with an empty one, has no object."""
        layout = _layout(source)
        images = layout.images(source.split, source.image_folder)
        if images is None:
            raise SplitNotFoundError(
                f"CUSTOM_DATASET_PATH: no images of the {source.split} split are named by {layout.file} or lie where "
                f"YOLO has them. Set {source.split.upper()}_DIR to their folder."
            )
        trained = source.like.place.folder if source.like is not None else None
        if source.split != "train" and images == layout.images("train", trained):
            log.warning(
                "%s: the %s split is the training split: its metrics show no generalization.", layout.file, source.split
            )
        return _read(images, layout, options)


def _layout(source: SplitSource) -> Layout:
    place = source.place
    if place.named is None and source.like is not None:
        return read_layout(attrs.evolve(source.like.place, split=place.split))
    return read_layout(place)


def _read(images: list[Path], layout: Layout, options: ReadOptions) -> AnnotatedSplit:
    rows = BadRows(str(layout.file), skip=options.skip)
    categories = _categories(layout)
    found: list[AnnotatedImage] = []
    count = repeated = 0
    for number, path in enumerate(images, start=1):
        if (reason := image_defect(path)) is not None:
            rows.add(reason, f"image {path}")
            continue
        (width, height), _ = image_sizes(path)
        image = AnnotatedImage(id=number, path=path, width=width, height=height)
        kept: list[Annotation] = []
        file = label_file(path)
        lines = read_lines(file) if file.is_file() else {}
        repeated += sum(len(numbers) - 1 for numbers in lines.values())
        for text, (line, *_) in lines.items():
            try:
                label = read_label(text, image, layout)
            except LabelError as defect:
                rows.add(str(defect), f"{file}:{line}")
                continue
            category = categories[label["category_id"]]
            reason = options.check(label, category, image) if options.check else None
            if reason is not None:
                rows.add(reason, f"{file}:{line}")
                continue
            count += 1
            kept.append(cast("Annotation", {"id": count, "image_id": number, **label}))
        found.append(attrs.evolve(image, annotations=tuple(kept)))
    dropped = rows.counts()
    if repeated:
        log.warning("%s: %d labels that stand twice in their file are read once", layout.file, repeated)
    if not count:
        first = label_file(images[0])
        raise DataError(f"{layout.file}: no image has a label. Labels are looked for where {first} is. Add them there.")
    return AnnotatedSplit(
        source=str(layout.file), images=tuple(found), categories=tuple(categories.values()), dropped=dropped
    )


def _categories(layout: Layout) -> dict[int, Category]:
    points = layout.keypoints
    names, pairs = (points.names, points.pairs) if points is not None else ((), ())
    return {
        number: Category(id=number, name=name, keypoints=names, flip_pairs=pairs)
        for number, name in layout.names.items()
    }
