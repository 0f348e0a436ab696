"""Annotated images in memory: what every annotation format is read into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import attrs

from adapt_core.contracts import Examples
from adapt_core.contracts.recognition import Recognised
from adapt_core.errors import InputError
from adapt_core.evaluation import Statistic

Segmentation = list[list[float]] | Mapping[str, Any]
"""COCO polygons ([x, y, x, y, ...] each), or RLE with `size` and `counts`."""

TOLERANCE = 1.0
"""Pixels that a box, a polygon or a keypoint may lie beyond its image (rounding)."""


class Annotation(TypedDict):
    """A COCO annotation of one object: `bbox` is [x, y, width, height] in pixels, inside the image."""

    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    area: float
    iscrowd: int
    segmentation: NotRequired[Segmentation]
    keypoints: NotRequired[list[float]]


class CocoResult(TypedDict):
    """A prediction of one object, as COCO's result files have it."""

    image_id: int
    category_id: int
    score: float
    bbox: NotRequired[list[float]]
    segmentation: NotRequired[Segmentation]
    keypoints: NotRequired[list[float]]


def one_line(name: str) -> str:
    """Return the name of a class as text on one line: writers indent it, and break it between words."""
    return " ".join(part for line in name.splitlines() if (part := line.strip()))


@attrs.frozen(kw_only=True)
class AnnotatedImage:
    """One image with its annotations.

    Attributes:
        id: the annotation file's id of the image, or its number from 1 where the format has no ids.
        path: the image file.
        width, height: pixels, as annotated.
        as_stored: whether the annotations refer to the stored pixels of a photo that its EXIF tag rotates.
        annotations: in the order of the file; ids count from 1 over the whole split.
    """

    id: int
    path: Path
    width: int
    height: int
    as_stored: bool = False
    annotations: tuple[Annotation, ...] = ()

    def beyond(self, left: float, top: float, right: float, bottom: float) -> float:
        """Return how many pixels a box extends beyond the image; at most 0 where it lies inside."""
        return max(-left, -top, right - self.width, bottom - self.height)

    def clipped(self, left: float, top: float, right: float, bottom: float) -> list[float]:
        """Return the part of a box inside the image, as [x, y, width, height]."""
        left, top = max(left, 0.0), max(top, 0.0)
        return [left, top, min(right, float(self.width)) - left, min(bottom, float(self.height)) - top]

    def clipped_outline(self, points: Iterable[tuple[float, float]]) -> list[float]:
        """Return corners as [x, y, x, y, ...], those outside the image moved to its edge."""
        width, height = float(self.width), float(self.height)
        return [side for x, y in points for side in (min(max(x, 0.0), width), min(max(y, 0.0), height))]


@attrs.frozen(kw_only=True)
class Category:
    """A class: its id in the annotations, its name, and for poses its keypoints, skeleton, sigmas and mirrored pairs.

    Skeleton and `flip_pairs`, the keypoints that change places in a mirrored image, are positions of keypoints from 0.
    """

    id: int
    name: str
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()


@attrs.frozen(kw_only=True)
class AnnotatedSplit:
    """The images and classes of one split.

    Attributes:
        source: the file it was read from, for messages.
        images: in the order of the file.
        categories: those of the training split sorted by id, and of other splits in the same order of names; a
            category's position is its label in the model.
        dropped: what SKIP_BAD_ROWS dropped: reason -> count.
        recognised: its format, where it was read by one.
    """

    source: str
    images: tuple[AnnotatedImage, ...]
    categories: tuple[Category, ...]
    dropped: dict[str, int] = attrs.field(factory=dict)
    recognised: Recognised | None = attrs.field(default=None, eq=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by label."""
        return tuple(category.name for category in self.categories)

    def label_of(self) -> dict[int, int]:
        """Return the label of each category id."""
        return {category.id: label for label, category in enumerate(self.categories)}

    def count_by_category(self) -> Counter[int]:
        """Count the annotations of each category id, crowds included."""
        return Counter(a["category_id"] for image in self.images for a in image.annotations)

    def told(self, position: int) -> list[tuple[str, str]]:
        """Return an image in words: its name and size, then the class and box of each object."""
        image, names = self.images[position], {category.id: category.name for category in self.categories}
        objects = ((names[a["category_id"]], ", ".join(f"{side:g}" for side in a["bbox"])) for a in image.annotations)
        return [(image.path.name, f"{image.width} x {image.height}"), *objects]

    def examples(self) -> Examples:
        """Return images with the class and box of each object, as checks of the data see them; crowds left out."""
        names = {category.id: category.name for category in self.categories}
        objects = [[one for one in image.annotations if not one["iscrowd"]] for image in self.images]
        return Examples(
            images=[image.path for image in self.images],
            labels=[[names[one["category_id"]] for one in own] for own in objects],
            parts=[[one["bbox"] for one in own] for own in objects],
        )

    def stats(self) -> dict[str, Statistic]:
        """Return the counts that `result.json` reports."""
        return {
            "images": len(self.images),
            "annotations": sum(len(image.annotations) for image in self.images),
            "images_without_annotations": sum(not image.annotations for image in self.images),
            **({"dropped": dict(self.dropped)} if self.dropped else {}),
        }


def categories_to_data(categories: Iterable[Category]) -> list[dict[str, Any]]:
    """Return categories as JSON-ready data."""
    return [attrs.asdict(category) for category in categories]


def categories_from_data(data: Any) -> tuple[Category, ...]:
    """Return the categories that `categories_to_data` wrote, from a run folder that may be damaged.

    Raises:
        InputError: the data describes no categories.
    """
    try:
        return tuple(
            Category(
                id=int(one["id"]),
                name=str(one["name"]),
                keypoints=tuple(map(str, one["keypoints"])),
                skeleton=tuple((int(start), int(end)) for start, end in one["skeleton"]),
                sigmas=tuple(map(float, one["sigmas"])),
                flip_pairs=tuple((int(one), int(other)) for one, other in one.get("flip_pairs", ())),
            )
            for one in data
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"adapter/data.json of the run does not describe its categories ({error}). Restore it, or run the config "
            "again."
        ) from None
