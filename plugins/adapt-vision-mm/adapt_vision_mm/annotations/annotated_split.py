"""Annotated images, ready to use: what every file layout is read into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class AnnotatedImage:
    """One image with its annotations.

    Attributes:
        id: as the annotation file has it (or the image's number).
        path: the image file.
        width, height: pixels, as annotated.
        as_stored: whether the annotations were made on the stored pixels of a photo whose EXIF tag rotates it.
        annotations: COCO annotations: `id` (from 1), `category_id`, `bbox` [x, y, width, height] in pixels, `area`,
            `iscrowd`, and `segmentation` or `keypoints` where there are any. Boxes lie inside the image.
    """

    id: int
    path: Path
    width: int
    height: int
    as_stored: bool = False
    annotations: tuple[dict[str, Any], ...] = ()


@attrs.frozen(kw_only=True)
class Category:
    """One class: its id in the annotations and its name; for poses its points, skeleton (0-based) and sigmas."""

    id: int
    name: str
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()


@attrs.frozen(kw_only=True)
class AnnotatedSplit:
    """One split.

    Attributes:
        source: where it was read from, for messages.
        pictures: in the order of the file.
        categories: in the order of their ids; the position is the label of a model.
        dropped: what SKIP_BAD_ROWS dropped: reason -> count.
    """

    source: str
    pictures: tuple[AnnotatedImage, ...]
    categories: tuple[Category, ...]
    dropped: dict[str, int] = attrs.field(factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by label."""
        return tuple(category.name for category in self.categories)

    def label_of(self) -> dict[int, int]:
        """Category id -> label."""
        return {category.id: label for label, category in enumerate(self.categories)}

    def first(self, count: int | None) -> AnnotatedSplit:
        """The first `count` pictures."""
        return attrs.evolve(self, pictures=self.pictures[:count])

    def stats(self) -> dict[str, Any]:
        """Counts for `result.json`."""
        return {
            "images": len(self.pictures),
            "annotations": sum(len(picture.annotations) for picture in self.pictures),
            "images_without_annotations": sum(not picture.annotations for picture in self.pictures),
            **({"dropped": dict(self.dropped)} if self.dropped else {}),
        }
