"""Several files of one split as one, whose classes are united by their names."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import attrs

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Annotation, Category
from adapt_vision_mm.annotations.repeats import Seen, without_repeats

log = logging.getLogger(__name__)


def merge_splits(splits: Sequence[AnnotatedSplit]) -> AnnotatedSplit:
    """Return the images and classes of all, in their order. Ids count from 1.

    An image that several files have is one image with the objects of all; one of the same class and box, to a
    pixel, is kept once.

    Raises:
        DataError: two give a class other keypoints.
    """
    categories: dict[str, Category] = {}
    origin: dict[str, str] = {}
    for split in splits:
        for category in split.categories:
            known = categories.setdefault(category.name, attrs.evolve(category, id=len(categories) + 1))
            if known.keypoints != category.keypoints:
                raise DataError(
                    f"{split.source}: class {category.name!r} has other keypoints, or in another order, than in "
                    f"{origin[category.name]}. Give both the same."
                )
            origin.setdefault(category.name, split.source)
    images: dict[tuple[Path, bool], AnnotatedImage] = {}
    repeated = 0
    for split in splits:
        ids = {category.id: categories[category.name].id for category in split.categories}
        for image in split.images:
            key = (image.path, image.as_stored)
            known_image = images.setdefault(key, attrs.evolve(image, id=len(images) + 1, annotations=()))
            found = [
                cast("Annotation", {**one, "id": 0, "image_id": known_image.id, "category_id": ids[one["category_id"]]})
                for one in image.annotations
            ]
            fresh = without_repeats(found, known_image.annotations, _seen)
            repeated += len(found) - len(fresh)
            images[key] = attrs.evolve(known_image, annotations=(*known_image.annotations, *fresh))
    if repeated:
        log.warning("%s and others: %d objects that several files have are read once", splits[0].source, repeated)
    return AnnotatedSplit(
        source=splits[0].source,
        images=_numbered(list(images.values())),
        categories=tuple(categories.values()),
        dropped=dict(sum((Counter(split.dropped) for split in splits), Counter())),
        recognised=splits[0].recognised,
    )


def _seen(annotation: Annotation) -> Seen:
    return (annotation["category_id"], annotation["iscrowd"]), annotation["bbox"]


def _numbered(images: Sequence[AnnotatedImage]) -> tuple[AnnotatedImage, ...]:
    numbered: list[AnnotatedImage] = []
    count = 0
    for image in images:
        annotations = tuple(
            cast("Annotation", {**one, "id": count + number}) for number, one in enumerate(image.annotations, 1)
        )
        count += len(annotations)
        numbered.append(attrs.evolve(image, annotations=annotations))
    return tuple(numbered)
