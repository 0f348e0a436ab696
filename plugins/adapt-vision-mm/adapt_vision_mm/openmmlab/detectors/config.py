"""A detector's config adapted to the data's classes, image_size and augment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.images.sides import mirrored_classes
from adapt_vision_mm.openmmlab.contracts import Step
from adapt_vision_mm.openmmlab.detectors.own_pipeline import own_pipeline

if TYPE_CHECKING:
    from mmengine.config import Config

    from adapt_vision_mm.mm_params import MmParams

_REPLACED = (
    "own_training",
    "train_pipeline",
    "train_pipeline_stage2",
    "test_pipeline",
    "train_dataloader",
    "val_dataloader",
)
_REMOVED = ("test_dataloader", "val_evaluator", "test_evaluator", "val_cfg", "test_cfg")


def adapt_detector(config: Config, train: AnnotatedSplit, params: MmParams, *, with_mask: bool) -> list[Step]:
    """Set the heads' classes and the pipelines of a config, and return the pipeline of a validation loss.

    Args:
        config: changed in place.
        train: the training split.
        params: image_size and augment.
        with_mask: whether the pipelines load masks.
    """
    from adapt_vision_mm.openmmlab.detectors import pipelines
    from adapt_vision_mm.openmmlab.model_config import fit_classes, separate_classes

    fit_classes(config.model, len(train.categories))
    separate_classes(config.model)
    size = pipelines.image_size(config, params.image_size)
    mirrors = not mirrored_classes(train.names)
    own = params.augment == "own" and own_pipeline(
        config, size / pipelines.image_size(config, None), with_mask=with_mask, mirrors=mirrors
    )
    for key in (*_REPLACED, *_REMOVED):
        config.pop(key, None)
    config.train_pipeline = (
        own or pipelines.augmented(size, with_mask=with_mask, mirrors=mirrors)
        if params.augment
        else pipelines.plain(size, with_mask=with_mask)
    )
    if own:
        config.own_training = own[0]  # for a run on this run's model
    config.test_pipeline = pipelines.testing(size, with_mask=with_mask)
    # Plain mmdet reads the test dataset's classes and pipeline when it loads the model.
    dataset = {"type": "CocoDataset", "metainfo": {"classes": train.names}, "pipeline": config.test_pipeline}
    config.test_dataloader = {"batch_size": 1, "dataset": dataset}
    return pipelines.plain(size, with_mask=with_mask)
