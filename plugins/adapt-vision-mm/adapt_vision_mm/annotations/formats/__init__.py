"""The annotation formats, one module each.

A new format is a module of this package that ends in `FORMAT: AnnotationFormat = ...`, and its name in `FORMATS`. Every
task that needs what its annotations hold (boxes, masks or keypoints) then reads it.

    contract        what a format is
    coco            COCO JSON
    coco_fields     the fields of its entries, each as what it means or with its defect
    pascal_voc      Pascal VOC's XML files
    label_maps      PNG label maps
    label_values    classes and instances by the values of pixels
"""

from __future__ import annotations

from importlib import import_module

from adapt_core.errors import InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.formats.contract import AnnotationFormat, AnnotationKind, ReadOptions
from adapt_vision_mm.annotations.sources import SplitSource, UnannotatedSplitError
from adapt_vision_mm.annotations.yolo import find_yolo

FORMATS = ("coco", "pascal_voc", "label_maps")
"""The modules of this package that hold a format, in the order in which they are asked to recognise a split."""


def formats_of(kind: AnnotationKind) -> list[AnnotationFormat]:
    """Return the formats whose annotations hold boxes, masks or keypoints."""
    formats: list[AnnotationFormat] = [import_module(f"{__name__}.{name}").FORMAT for name in FORMATS]
    return [found for found in formats if kind in found.kinds]


def read_split(source: SplitSource, kind: AnnotationKind, options: ReadOptions) -> AnnotatedSplit:
    """Read a split in whatever format it has.

    Args:
        source: the files that the config names.
        kind: what the task needs of each annotation.
        options: passed to the format.

    Raises:
        SplitNotFoundError: there is no annotation file, and no format does without.
        UnannotatedSplitError: it is the test split, and none of its images has an annotation.
        InputError: no format with such annotations recognises the file.
        DataError: the annotations cannot be used.
    """
    formats = formats_of(kind)
    for candidate in formats:
        if not candidate.recognise(source):
            continue
        bare = candidate.list_unannotated(source) if source.split == "test" else None
        if bare:
            raise UnannotatedSplitError(source.file or source.root, bare)
        return candidate.read(source, options)
    known = " or ".join(candidate.summary for candidate in formats)
    yolo = find_yolo(source.root) if _may_be_yolo(source) else None
    if yolo is not None:
        raise InputError(
            f"CUSTOM_DATASET_PATH: {source.root} is a YOLO data set (its {yolo.relative_to(source.root)} says so), and "
            f"YOLO's labels are recognised, but not read. Convert them into {known}."
        )
    if source.file is None:
        raise source.not_found()
    raise InputError(
        f"{source.split}_ann_file: {source.file} is not an annotation file with {kind} ({known})."
        " Convert it into one of these."
    )


def _may_be_yolo(source: SplitSource) -> bool:
    """Return whether nothing but YOLO's files can be a training split: a stray `data.yaml` may lie beside others."""
    unread = source.file is None or source.file.suffix in (".yaml", ".yml", ".txt")
    return source.split == "train" and unread and not source.json_files()
