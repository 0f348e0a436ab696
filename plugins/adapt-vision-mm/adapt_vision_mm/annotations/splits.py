"""All splits of a run, with the same classes in each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.sources import SplitName, SplitNotFoundError, SplitSource, find_source

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan

    from adapt_vision_mm.mm_params import MmParams

log = logging.getLogger(__name__)

SplitReader = Callable[[SplitSource, Sequence[str] | None], AnnotatedSplit]
"""(files of a split, class names of the training split or None) -> the split."""

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


def read_splits(plan: Plan[MmParams], read: SplitReader) -> dict[str, AnnotatedSplit]:
    """Return the splits that the run needs, by name.

    Args:
        plan: DO_EVAL, DATA_SPLIT, MAX_TRAIN_SAMPLES and MAX_EVAL_SAMPLES decide which.
        read: reads one split.

    Raises:
        InputError: a split does not exist.
        DataError: a split cannot be used, or its classes are not those of the training split.
    """
    found: dict[str, AnnotatedSplit] = {}
    for split in SPLITS:
        if split == "val" and not plan.training.do_eval:
            continue
        source = find_source(plan, split)
        if source is None:
            continue
        try:
            found[split] = read(source, found["train"].names if found else None)
        except SplitNotFoundError:
            if split == "val" and plan.data.data_split and not plan.data.val_dir:
                continue  # held out from the training split below
            raise
        _require_same_classes(found[split], found["train"])
    if "val" not in found and plan.training.do_eval:
        found["train"], found["val"] = hold_out(found["train"], plan.data.data_split or 0)
    if plan.data.max_train_samples:
        found["train"] = found["train"].first(plan.data.max_train_samples)
    if plan.data.max_eval_samples and "val" in found:
        found["val"] = found["val"].first(plan.data.max_eval_samples)
    _warn_of_gaps(found["train"])
    return found


def _require_same_classes(split: AnnotatedSplit, train: AnnotatedSplit) -> None:
    if split.names != train.names:
        raise DataError(
            f"{split.source}: its classes ({', '.join(split.names[:5])}, ...) are not those of "
            f"{train.source} ({', '.join(train.names[:5])}, ...)."
        )


def _warn_of_gaps(train: AnnotatedSplit) -> None:
    counts = train.count_by_category()
    absent = [category.name for category in train.categories if not counts[category.id]]
    if absent:
        shown = ", ".join(absent[:5]) + (" ..." if len(absent) > 5 else "")
        log.warning("%d of %d classes have no training example: %s", len(absent), len(train.categories), shown)
    bare = sum(not image.annotations for image in train.images)
    if bare:
        log.warning("%d of %d training images have no annotation and are left out", bare, len(train.images))


def require_objects(split: AnnotatedSplit, items: int) -> None:
    """Check that a dataset made from a split has items.

    Raises:
        DataError: it has none; the message names the split's file.
    """
    if not items:
        raise DataError(
            f"{split.source}: none of the {len(split.images)} images used has an object to learn from "
            "(crowds and bodies without a visible keypoint do not count)."
        )


def warn_of_dropped_rows(split: AnnotatedSplit) -> None:
    """Log what SKIP_BAD_ROWS dropped."""
    for reason, count in split.dropped.items():
        log.warning("%s: dropped %d: %s", split.source, count, reason)


def hold_out(split: AnnotatedSplit, share: float) -> tuple[AnnotatedSplit, AnnotatedSplit]:
    """Return a split without the last share of its images, and that share (at least one image in each)."""
    count = len(split.images)
    cut = min(max(1, round(count * (1 - share))), count - 1)
    log.info("DATA_SPLIT: the last %d of %d training images are held out for validation", count - cut, count)
    return attrs.evolve(split, images=split.images[:cut]), attrs.evolve(split, images=split.images[cut:])
