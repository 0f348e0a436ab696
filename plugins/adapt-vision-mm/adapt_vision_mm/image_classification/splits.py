"""Validated rows as data sets of pixels: those of each split, and the images of ALSO_EVALUATE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.evaluation import further_split

from adapt_vision_mm.image_classification.data import Rows, load_further_rows
from adapt_vision_mm.image_classification.dataset import ImageDataset
from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.image_classification.transforms import unmirrored
from adapt_vision_mm.images.sides import mirrored_classes, report_mirrored_classes

if TYPE_CHECKING:
    from adapt_vision_mm.image_classification.transforms import Transforms

_Plan = Plan[ImageClassificationParams]


def image_splits(plan: _Plan, rows: Rows, transforms: Transforms) -> dict[str, ImageDataset]:
    """Return the images of each split; those of training are augmented where the plan says so.

    Args:
        plan: for `augmentation` and the seed.
        rows: of the splits.
        transforms: of an image into the model's input.
    """
    augmented, names, train = plan.task.params.augmentation, rows.choice.targets.names, transforms.train
    if augmented and "train" in rows.splits and mirrored_classes(names):
        report_mirrored_classes(names, "augmentation")
        train = unmirrored(train)
    splits = {}
    for split in rows.splits:
        images, targets = rows.columns(split)
        if split == "train":
            splits[split] = ImageDataset(images, targets, train, rows.base, plan.training.seed if augmented else None)
        else:
            splits[split] = ImageDataset(images, targets, transforms.evaluate, rows.base)
    return splits


def add_further_images(plan: _Plan, own: Rows, data: TaskData, transforms: Transforms) -> None:
    """Add each data set of ALSO_EVALUATE as evaluated images: `further`, `subsets` and its counts.

    Args:
        plan: of the run.
        own: the run's rows.
        data: changed in place.
        transforms: of an image into the model's input.
    """
    rows = load_further_rows(plan, own)
    data.stats.update(rows.stats)
    for name in rows.splits:
        examples = ImageDataset(*rows.columns(name), transforms.evaluate, rows.base)
        data.further = {**data.further, name: examples}
        data.subsets.append((examples, further_split(name)))
