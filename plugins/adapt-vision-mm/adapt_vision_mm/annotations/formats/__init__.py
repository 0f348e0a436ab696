"""The annotation formats, one module each.

A new format is a module of this package with an `AnnotationFormat`, and its `FormatSpec` in `adapt_vision_mm.plugin`.
Every task that needs what its annotations hold (boxes, masks or keypoints) then reads it. Formats of other plugins
yield rows.

    contract        what a format is here
    row_images      the rows of a format that is no `AnnotationFormat`, checked
    coco            COCO JSON
    coco_fields     the fields of its entries, each as what it means or with its defect
    pascal_voc      Pascal VOC's XML files
    yolo            YOLO's text files
    yolo_layout     where its images, labels and class names are
    yolo_labels     lines of labels as annotations
    export          the base of exports of annotation tools
    entries         their images as they are written
    objects         their objects as annotations; the points and parts that belong together
    label_studio    Label Studio's JSON and JSON-MIN
    label_studio_brush  its brush masks
    labelme         LabelMe's JSON files
    via             VIA's JSON and csv
    cvat            CVAT's XML for images
    label_maps      PNG label maps
    label_values    classes and instances by the values of pixels
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from adapt_core.config.formats import format_choices
from adapt_core.config.plan import FormatChoice
from adapt_core.contracts.recognition import Recognised, recognise
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registry

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.formats.contract import SHAPES, AnnotationFormat, AnnotationKind, ReadOptions
from adapt_vision_mm.annotations.formats.export import ExportFormat
from adapt_vision_mm.annotations.formats.row_images import read_images
from adapt_vision_mm.annotations.merged import merge_splits
from adapt_vision_mm.annotations.sources import SplitSource, UnannotatedSplitError


def read_split(source: SplitSource, kind: AnnotationKind, options: ReadOptions) -> AnnotatedSplit:
    """Read a split in the format that DATA_FORMAT names, or that recognises it.

    Args:
        source: the files that the config names.
        kind: what the task needs of each annotation.
        options: passed to the format.

    Several files that the config names are read each in its format, and united.

    Raises:
        SplitNotFoundError: there is no annotation file, and no format does without.
        UnannotatedSplitError: it is the test split, and none of its images has an annotation.
        InputError: no format with such annotations recognises the file, or two do.
        DataError: the annotations cannot be used.
    """
    options = attrs.evolve(options, kind=kind)
    if not source.others or _at_once(source, kind, options):
        return _read_split(source, kind, options)
    return merge_splits([_read_split(one, kind, options) for one in (attrs.evolve(source, others=()), *source.others)])


def _at_once(source: SplitSource, kind: AnnotationKind, options: ReadOptions) -> bool:
    """Return whether all files of a split exist and are exports of one tool, whose format reads them together."""
    if source.file is None or any(one.file is None for one in source.others):
        return False
    found = recognise(source.place, _formats(kind, options), options.named)
    return found is not None and isinstance(found.format, ExportFormat)


def _formats(kind: AnnotationKind, options: ReadOptions) -> Sequence[FormatChoice]:
    return options.formats or format_choices(Registry.discover(), (SHAPES[kind],))


def _read_split(source: SplitSource, kind: AnnotationKind, options: ReadOptions) -> AnnotatedSplit:
    formats = _formats(kind, options)
    found = _as_training(source) or recognise(source.place, formats, options.named)
    if found is not None and not isinstance(found.format, AnnotationFormat):
        return attrs.evolve(read_images(found, options), recognised=found)
    if found is not None:
        bare = found.format.list_unannotated(source) if source.split == "test" else None
        if bare:
            raise UnannotatedSplitError(source.file or source.root, bare)
        split: AnnotatedSplit = found.format.read_split(source, options)
        return attrs.evolve(split, recognised=found)
    *others, last = (one.summary for one in formats)
    known = f"{', '.join(others)} or {last}" if others else last
    if source.file is None:
        raise source.not_found()
    raise InputError(
        f"{source.split}_ann_file: {source.file} is not an annotation file with {kind} ({known})."
        " Convert it into one of these."
    )


def _as_training(source: SplitSource) -> Recognised | None:
    """Return the format of the training split where its data set says where this split is, and no key does."""
    like = source.like
    if like is None or source.file is not None:
        return None
    if not isinstance(like.format, AnnotationFormat) or not like.format.reads_folders:
        return None
    is_named = source.image_folder is not None or like.format.names_split(like.place, source.split)
    return attrs.evolve(like, place=source.place) if is_named else None
