"""The contract of an annotation format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Category
from adapt_vision_mm.annotations.sources import SplitSource

AnnotationKind = Literal["boxes", "masks", "keypoints"]
"""What a task needs of each annotation."""

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
    """

    skip: bool
    classes: Sequence[str] | None = None
    check: AnnotationCheck | None = None
    class_list: Sequence[str] = ()
    palette: Sequence[Sequence[int]] = ()


class AnnotationFormat(Protocol):
    """One file format of annotations.

    Attributes:
        summary: its name in messages.
        kinds: what its annotations hold.
    """

    @property
    def summary(self) -> str: ...

    @property
    def kinds(self) -> frozenset[AnnotationKind]: ...

    def recognise(self, source: SplitSource) -> bool:
        """Return whether a split is in this format, from the names of its files."""

    def list_unannotated(self, source: SplitSource) -> Mapping[int, Path] | None:
        """Return the images of a split that `recognise` accepted by their ids, where none of them has an annotation.

        Ids are the file's own, or the image's number from 1. Images are not looked into. None: one has, or the file
        cannot be read, which `read` reports.
        """

    def read(self, source: SplitSource, options: ReadOptions) -> AnnotatedSplit:
        """Read and validate a split that `recognise` accepted.

        Raises:
            InputError: a file or an option is missing.
            DataError: the annotations cannot be used, with the file, the row and the reason.
        """
