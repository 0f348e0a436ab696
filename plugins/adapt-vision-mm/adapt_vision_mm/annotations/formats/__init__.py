"""The annotation formats, one module each.

A new format is a module of this package with an `AnnotationFormat`, and its `FormatSpec` in `adapt_vision_mm.plugin`.
Every task that needs what its annotations hold (boxes, masks or keypoints) then reads it. Formats of other plugins
yield rows.

    contract        what a format is here
    row_images      the rows of a format that is no `AnnotationFormat`, checked
    coco            COCO JSON
    coco_fields     the fields of its entries, each as what it means or with its defect
    pascal_voc      Pascal VOC's XML files
    label_maps      PNG label maps
    label_values    classes and instances by the values of pixels
"""

from __future__ import annotations

import attrs

from adapt_core.config.formats import format_choices
from adapt_core.contracts.recognition import recognise
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registry

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.formats.contract import SHAPES, AnnotationFormat, AnnotationKind, ReadOptions
from adapt_vision_mm.annotations.formats.row_images import read_images
from adapt_vision_mm.annotations.sources import SplitSource, UnannotatedSplitError
from adapt_vision_mm.annotations.yolo import find_yolo


def read_split(source: SplitSource, kind: AnnotationKind, options: ReadOptions) -> AnnotatedSplit:
    """Read a split in the format that DATA_FORMAT names, or that recognises it.

    Args:
        source: the files that the config names.
        kind: what the task needs of each annotation.
        options: passed to the format.

    Raises:
        SplitNotFoundError: there is no annotation file, and no format does without.
        UnannotatedSplitError: it is the test split, and none of its images has an annotation.
        InputError: no format with such annotations recognises the file, or two do.
        DataError: the annotations cannot be used.
    """
    formats = options.formats or format_choices(Registry.discover(), (SHAPES[kind],))
    found = recognise(source.place, formats, options.named)
    if found is not None and not isinstance(found.format, AnnotationFormat):
        return attrs.evolve(read_images(found, options), recognised=found)
    if found is not None:
        bare = found.format.list_unannotated(source) if source.split == "test" else None
        if bare:
            raise UnannotatedSplitError(source.file or source.root, bare)
        split: AnnotatedSplit = found.format.read_split(source, options)
        return attrs.evolve(split, recognised=found)
    known = " or ".join(one.summary for one in formats)
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
