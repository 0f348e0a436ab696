"""All splits of a run, with the same classes in each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.contracts.recognition import Recognised, recognise
from adapt_core.errors import DataError
from adapt_core.hf.data.selection import held_out, sample
from adapt_core.hf.data.splits import DEFAULT_SHARE, say_test_left_out

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.formats.contract import AnnotationFormat
from adapt_vision_mm.annotations.sources import (
    DATA_YAML,
    SplitNotFoundError,
    SplitSource,
    UnannotatedSplitError,
    dataset_root,
    find_source,
    find_test_folder,
)
from adapt_vision_mm.annotations.standard_files import SplitName
from adapt_vision_mm.images.sides import report_mirrored_classes

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
        plan: DO_EVAL, DATA_SPLIT, MAX_TRAIN_SAMPLES and MAX_EVAL_SAMPLES decide which. A validation split that neither
            exists nor is named is held out from the training split.
        read: reads one split.

    Raises:
        InputError: a split does not exist.
        DataError: a split cannot be used, or has classes that the training split lacks.
    """
    found: dict[str, AnnotatedSplit] = {}
    trained: set[Path] = set()
    for split in SPLITS:
        if split == "val" and not plan.training.do_eval:
            continue
        source = _source(plan, split, found.get("train"))
        if source is None:
            images = find_test_folder(plan, found.values())
            if images is not None:
                say_test_left_out(plan, f"no test_ann_file, only the images in {images}")
            continue
        files = [one.file for one in (source, *source.others) if one.file is not None]
        shared = next((file for file in files if file in trained and file.suffix not in DATA_YAML), None)
        if split == "train":
            trained = set(files)
        elif shared is not None:
            if split == "val" and not source.given and not plan.data.val_dir:
                continue  # held out from the training split below
            log.warning("%s is both the training and the %s split: its metrics show no generalization.", shared, split)
        try:
            found[split] = read(source, found["train"].names if found else None)
        except SplitNotFoundError:
            if split == "val" and not plan.data.val_dir and (plan.data.data_split or not source.given):
                continue  # held out from the training split below
            if split == "test" and not source.given:
                say_test_left_out(plan, f"no annotation file in {source.image_folder}")
                continue
            raise
        except UnannotatedSplitError as bare:
            say_test_left_out(plan, f"no annotations in {bare.source}")
            continue
        found[split] = match_classes(found[split], found["train"])
    if "val" not in found and plan.training.do_eval:
        share = plan.data.data_split or DEFAULT_SHARE
        found["train"], found["val"] = hold_out(found["train"], share, plan.training.seed)
    seed = plan.training.seed
    if plan.data.max_train_samples:
        found["train"] = sampled(found["train"], plan.data.max_train_samples, seed)
    if plan.data.max_eval_samples and "val" in found:
        found["val"] = sampled(found["val"], plan.data.max_eval_samples, seed)
    _warn_of_gaps(found["train"])
    if plan.task.params.augment and plan.training.do_train:
        report_mirrored_classes(found["train"].names, "augment")
    return found


def _source(plan: Plan[MmParams], split: SplitName, trained: AnnotatedSplit | None) -> SplitSource | None:
    """Return the source of a split: what the config names, a standard name, or what its data set names."""
    keypoints = {} if trained is None else {one.name: one.keypoints for one in trained.categories if one.keypoints}
    return _like(plan, split, None if trained is None else trained.recognised, keypoints)


def _like(
    plan: Plan[MmParams], split: SplitName, train: Recognised | None, keypoints: Mapping[str, tuple[str, ...]]
) -> SplitSource | None:
    source = find_source(plan, split)
    if source is not None:
        others = tuple(attrs.evolve(one, keypoints=keypoints) for one in source.others)
        return attrs.evolve(source, like=train, keypoints=keypoints, others=others)
    reader = None if train is None else train.format
    if train is None or not isinstance(reader, AnnotationFormat) or not reader.names_split(train.place, split):
        return None
    root = dataset_root(plan)
    return SplitSource(
        split=split,
        root=root,
        image_folder=None,
        name="",
        searched=(),
        file=None,
        given=False,
        like=train,
        keypoints=keypoints,
    )


def find_unannotated_test(plan: Plan[MmParams], read: SplitReader) -> Mapping[int, Path] | None:
    """Return the images by id of a test split that `read_splits` left out as its file has no annotations, else None.

    Args:
        plan: of the run.
        read: reads one split.
    """
    train = find_source(plan, "train")
    like = None if train is None else recognise(train.place, plan.formats, plan.data.data_format)
    source = _like(plan, "test", like, {})
    if source is None:
        return None
    try:
        read(source, None)
    except SplitNotFoundError:
        return None
    except UnannotatedSplitError as bare:
        return bare.images
    return None


def match_classes(split: AnnotatedSplit, train: AnnotatedSplit) -> AnnotatedSplit:
    """Return a split with the classes of the training split in their order: names decide, ids may differ.

    A class that only the training split lists has no object here. One that only this split lists is dropped if it has
    none either (Roboflow lists a group of classes as a class).

    Raises:
        DataError: an object has a class that the training split does not list, or a class has other keypoints.
    """
    own = {category.name: category for category in split.categories}
    counts = split.count_by_category()
    foreign = [name for name, category in own.items() if name not in train.names and counts[category.id]]
    if foreign:
        raise DataError(
            f"{split.source}: {train.source} has no class {', '.join(map(repr, foreign[:5]))}. Its classes: "
            f"{', '.join(train.names[:20])}. Add it there, or remove its objects here."
        )
    unused = max((category.id for category in split.categories), default=0) + 1
    matched = []
    for number, category in enumerate(train.categories):
        here = own.get(category.name) or attrs.evolve(category, id=unused + number)
        if here.keypoints != category.keypoints:
            raise DataError(
                f"{split.source}: class {category.name!r} has other keypoints, or in another order, than in "
                f"{train.source}. Give both the same."
            )
        matched.append(here)
    return attrs.evolve(split, categories=tuple(matched))


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
            " Add objects."
        )


def warn_of_dropped_rows(split: AnnotatedSplit) -> None:
    """Log what SKIP_BAD_ROWS dropped."""
    for reason, count in split.dropped.items():
        log.warning("%s: dropped %d: %s", split.source, count, reason)


def hold_out(split: AnnotatedSplit, share: float, seed: int) -> tuple[AnnotatedSplit, AnnotatedSplit]:
    """Return a split without a random share of its images, and that share: at least one image in each.

    The share is that of each class, by `held_out`, as far as that is possible; an image stands for the rarest class in
    it.

    Args:
        split: the training split.
        share: DATA_SPLIT.
        seed: SEED.

    Raises:
        DataError: it has one image only.
    """
    count = len(split.images)
    if count < 2:
        raise DataError(f"{split.source}: one image is too few to hold out others. Set DO_EVAL: false, or add images.")
    # Where every image stands for a class of its own, any image may be chosen.
    chosen = set(held_out(_rarest_classes(split), share, seed) or held_out([None] * count, share, seed))
    log.info("there is no validation split: %d of %d images are held out (DATA_SPLIT %g)", len(chosen), count, share)
    kept = tuple(image for number, image in enumerate(split.images) if number not in chosen)
    others = tuple(image for number, image in enumerate(split.images) if number in chosen)
    return attrs.evolve(split, images=kept), attrs.evolve(split, images=others)


def sampled(split: AnnotatedSplit, count: int, seed: int) -> AnnotatedSplit:
    """Return a random sample of a split's images in their order, all where there are no more.

    Where there is room, each class has an image; an image stands for the rarest class in it.

    Args:
        split: any.
        count: MAX_TRAIN_SAMPLES or MAX_EVAL_SAMPLES.
        seed: SEED.
    """
    total = len(split.images)
    if total <= count:
        return split
    rarest = _rarest_classes(split)
    log.info("%s: a sample of %d of %d images is used", split.source, count, total)
    return attrs.evolve(split, images=tuple(split.images[row] for row in sample(total, count, seed, rarest)))


def _rarest_classes(split: AnnotatedSplit) -> list[int | None]:
    """Return for each image the id of the rarest class in it; None where it has no object."""
    objects = split.count_by_category()
    return [
        min((a["category_id"] for a in image.annotations), key=lambda number: (objects[number], number), default=None)
        for image in split.images
    ]
