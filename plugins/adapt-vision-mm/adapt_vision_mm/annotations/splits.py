"""The splits of a run from wherever they lie, with the same classes in each."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError, InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.formats import coco, pascal_voc
from adapt_vision_mm.annotations.sources import Split, find_split, is_voc

log = logging.getLogger(__name__)

Reader = Callable[[Split, Sequence[str] | None], AnnotatedSplit]
"""(place, class names of the training split or None) -> the split."""

SPLITS = ("train", "val", "test")


def read_splits(plan: Plan, read: Reader) -> dict[str, AnnotatedSplit]:
    """Every split that the run needs, by name.

    Raises:
        DataError: a split cannot be used, or its classes are not those of the training split.
    """
    found: dict[str, AnnotatedSplit] = {}
    names: Sequence[str] | None = None
    for split in SPLITS:
        if split == "val" and not plan.training.do_eval:
            continue
        place = _place(plan, split)
        if place is None:
            continue
        found[split] = read(place, names)
        if names is None:
            names = found[split].names
        elif found[split].names != tuple(names):
            raise DataError(
                f"{found[split].source}: its classes ({', '.join(found[split].names[:5])}, ...) are not those of "
                f"{found['train'].source} ({', '.join(names[:5])}, ...)."
            )
    if "val" not in found and plan.training.do_eval:
        found["train"], found["val"] = halves(found["train"], plan.data.data_split or 0)
    if plan.data.max_train_samples:
        found["train"] = found["train"].first(plan.data.max_train_samples)
    if plan.data.max_eval_samples and "val" in found:
        found["val"] = found["val"].first(plan.data.max_eval_samples)
    _warn_of_gaps(found["train"])
    return found


def _place(plan: Plan, split: str) -> Split | None:
    """A split's place; None for a validation split that DATA_SPLIT makes, because none is there."""
    try:
        return find_split(plan, split)
    except InputError:
        if split == "val" and plan.data.data_split and not plan.data.val_dir:
            return None
        raise


def read_detection(plan: Plan, place: Split, names: Sequence[str] | None) -> AnnotatedSplit:
    """A split in COCO JSON or Pascal VOC."""
    skip = plan.data.skip_bad_rows
    if place.annotations is not None and place.annotations.suffix == ".json":
        return coco.read(place.annotations, place.images, skip)
    assert is_voc(place.images)
    images, source = _voc_images(place)
    return pascal_voc.read(place.images, images, names, source, skip)


def _voc_images(place: Split) -> tuple[list[str], str]:
    if place.annotations is None:
        folder = place.images / pascal_voc.ANNOTATIONS
        return sorted(path.stem for path in folder.glob("*.xml")), str(folder)
    return names_in(place.annotations), str(place.annotations)


def names_in(path: Path) -> list[str]:
    """The first word of each line of a text file.

    Raises:
        DataError: it cannot be read, is empty, or names an image twice.
    """
    try:
        names = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a list of image names: {error}.") from None
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not names or twice:
        raise DataError(f"{path} {'is empty' if not names else f'names {twice[0]!r} twice'}.")
    return names


def _warn_of_gaps(train: AnnotatedSplit) -> None:
    counts = Counter(a["category_id"] for picture in train.pictures for a in picture.annotations)
    without = [category.name for category in train.categories if not counts[category.id]]
    if without:
        shown = ", ".join(without[:5]) + (" ..." if len(without) > 5 else "")
        log.warning("%d of %d classes have no training example: %s", len(without), len(train.categories), shown)
    bare = sum(not picture.annotations for picture in train.pictures)
    if bare:
        log.warning("%d of %d training images have no annotation; they are left out", bare, len(train.pictures))


def require_objects(split: AnnotatedSplit, left: int) -> None:
    """Refuses a split of which a data set has left nothing.

    Raises:
        DataError: naming the split's file.
    """
    if not left:
        raise DataError(
            f"{split.source}: none of the {len(split.pictures)} images used has an object to learn from "
            "(crowds, and bodies without a visible point, are none)."
        )


def skip_counts(split: AnnotatedSplit) -> None:
    """Says what SKIP_BAD_ROWS dropped."""
    for reason, count in split.dropped.items():
        log.warning("%s: dropped %d: %s", split.source, count, reason)


def halves(split: AnnotatedSplit, share: float) -> tuple[AnnotatedSplit, AnnotatedSplit]:
    """A split cut in two: all pictures but the last share, and the last share (at least one in each)."""
    count = len(split.pictures)
    cut = min(max(1, round(count * (1 - share))), count - 1)
    log.info("DATA_SPLIT: the last %d of %d training images are held out for validation", count - cut, count)
    return attrs.evolve(split, pictures=split.pictures[:cut]), attrs.evolve(split, pictures=split.pictures[cut:])
