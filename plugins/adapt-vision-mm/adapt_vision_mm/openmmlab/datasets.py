"""Annotated splits as datasets of mmdet or mmpose, with the pipelines of an adapted config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.errors import DataError, InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.splits import require_objects
from adapt_vision_mm.openmmlab.contracts import FURTHER_VIEW, DataSource, MmDataset
from adapt_vision_mm.openmmlab.detectors.own_pipeline import OWN

if TYPE_CHECKING:
    from adapt_vision_mm.openmmlab.model_builder import AdaptedConfig


@attrs.frozen
class SplitDatasets:
    """Makes the datasets of a task.

    Attributes:
        data: of the task.
        adapted: returns its config.
    """

    data: DataSource
    adapted: Callable[[], AdaptedConfig]

    def of(self, split: AnnotatedSplit, *, training: bool) -> MmDataset:
        """Return the dataset of a split: for training, or as it is evaluated.

        Raises:
            DataError: it has no image that the dataset takes.
            InputError: the config's own training pipeline (augment: own) fails.
        """
        config = self.adapted().config
        pipeline = config.train_pipeline if training else config.test_pipeline
        if not (training and pipeline[0]["type"] == OWN):
            made = self.data.make_dataset(split, pipeline, config, training=training)
            require_objects(split, len(made))
            return made
        try:
            made = self.data.make_dataset(split, pipeline, config, training=True)
            require_objects(split, len(made))
            for epoch in (0, FURTHER_VIEW - 1):  # the last epochs may have a pipeline of their own
                made[epoch * len(made)]
        except DataError:
            raise
        except Exception as error:  # the pipeline of a foreign config: anything can go wrong in it
            raise InputError(
                f"augment: own: the training pipeline of {Path(config.filename).stem} fails on the first image: "
                f"{' '.join(str(error).split())[:300] or type(error).__name__} (Set augment: true.)"
            ) from error
        return made

    def of_losses(self, dataset: MmDataset) -> MmDataset:
        """Return the images of a dataset that have objects, prepared as for training without augmentation.

        Raises:
            DataError: no image has one.
        """
        split, adapted = dataset.annotated, self.adapted()
        made = self.data.make_dataset(split, adapted.loss_pipeline, adapted.config, training=True)
        require_objects(split, len(made))
        return made
