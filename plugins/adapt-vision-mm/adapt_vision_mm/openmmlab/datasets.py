"""Annotated splits as datasets of mmdet or mmpose, with the pipelines of an adapted config."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.splits import require_objects
from adapt_vision_mm.openmmlab.contracts import DataSource, MmDataset

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
        """
        config = self.adapted().config
        pipeline = config.train_pipeline if training else config.test_pipeline
        made = self.data.make_dataset(split, pipeline, config, training=training)
        require_objects(split, len(made))
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
