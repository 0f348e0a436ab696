"""The contract of an annotation format."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from adapt_core.config.plan import FormatChoice, Plan
from adapt_core.contracts.format import Format, Place, Row

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Annotation, Category
from adapt_vision_mm.annotations.sources import SplitSource

AnnotationKind = Literal["boxes", "masks", "keypoints"]
"""What a task needs of each annotation."""

SHAPES: Mapping[AnnotationKind, str] = {"boxes": "image+boxes", "masks": "image+masks", "keypoints": "image+keypoints"}
"""What a task needs -> the shape of its rows."""

AnnotationCheck = Callable[[Mapping[str, Any], Category, AnnotatedImage], str | None]
"""(annotation as it is in the file, its class, its image) -> why the task cannot use it, or None."""


@attrs.frozen(kw_only=True)
class ReadOptions:
    """How a split is read.

    Attributes:
        skip: SKIP_BAD_ROWS: drop and count bad rows instead of raising an error.
        classes: the class names of the training split, once it is read.
        check: the task's check of each annotation, for formats that do not guarantee their content.
        class_list: class names, for formats that hold numbers only.
        palette: a colour [red, green, blue] for each class, for formats that hold colours only.
        formats: those that serve the task, `plan.formats`; empty for all that are installed.
        named: DATA_FORMAT.
        kind: what the task needs of each annotation; None for all that there is.
    """

    skip: bool
    classes: Sequence[str] | None = None
    check: AnnotationCheck | None = None
    class_list: Sequence[str] = ()
    palette: Sequence[Sequence[int]] = ()
    formats: Sequence[FormatChoice] = ()
    named: str | None = None
    kind: AnnotationKind | None = None

    @classmethod
    def of(cls, plan: Plan[Any], classes: Sequence[str] | None, **options: Any) -> ReadOptions:
        """Return the options of a plan.

        Args:
            plan: SKIP_BAD_ROWS, its formats and DATA_FORMAT.
            classes: see the attribute.
            options: the others.
        """
        data = plan.data
        return cls(skip=data.skip_bad_rows, classes=classes, formats=plan.formats, named=data.data_format, **options)


class AnnotationFormat(Format):
    """Base of a format that reads a whole split at once, with its classes, and checks it. Registered as any format.

    A format that only yields rows, as the contract asks, is read by `row_images`.

    Attributes:
        reads_folders: whether a split may be a folder of images alone, whose annotations the format finds.
    """

    reads_folders = False

    @abstractmethod
    def list_unannotated(self, source: SplitSource) -> Mapping[int, Path] | None:
        """Return the images of a split by their ids, where none of them has an annotation.

        Ids are the file's own, or the image's number from 1. Images are not looked into. None: one has, or the file
        cannot be read, which `read_split` reports.
        """

    @abstractmethod
    def read_split(self, source: SplitSource, options: ReadOptions) -> AnnotatedSplit:
        """Read and validate a split.

        Raises:
            SplitNotFoundError: there is no such file.
            InputError: a file or an option is missing.
            DataError: the annotations cannot be used, with the file, the row and the reason.
        """

    def names_split(self, train: Place, split: str) -> bool:
        """Return whether the data set itself says where a split is that no key of the config names.

        Args:
            train: the training split, which this format recognised.
            split: "train", "val" or "test".
        """
        return False

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the images with their objects, see `Format`; the file is the split's, or the folder of its files."""
        split = self.read_split(SplitSource.of(place), ReadOptions(skip=False))
        for image in split.images:
            yield Row(image_values(image, split), Path(split.source))


def image_values(image: AnnotatedImage, split: AnnotatedSplit) -> dict[str, Any]:
    """Return an image as the row of a format: `image`, `width`, `height` and `objects`."""
    by_id = {category.id: category for category in split.categories}
    return {
        "image": str(image.path),
        "width": image.width,
        "height": image.height,
        "objects": [_object_values(annotation, by_id[annotation["category_id"]]) for annotation in image.annotations],
    }


def _object_values(annotation: Annotation, category: Category) -> dict[str, Any]:
    values: dict[str, Any] = {"category": category.name, "bbox": annotation["bbox"], "iscrowd": annotation["iscrowd"]}
    if "segmentation" in annotation:
        values["segmentation"] = annotation["segmentation"]
    if category.keypoints and "keypoints" in annotation:
        numbers = annotation["keypoints"]
        points = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        values["keypoints"] = dict(zip(category.keypoints, map(list, points), strict=True))
    return values
