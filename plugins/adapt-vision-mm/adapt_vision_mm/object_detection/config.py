"""A detector's config with heads for the data's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.openmmlab.contracts import Step
from adapt_vision_mm.openmmlab.detectors.config import adapt_detector

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.model import BaseModel

    from adapt_vision_mm.mm_params import DetectionParams


class DetectionConfig:
    """Adapts the config of a detector: a `ConfigAdapter`."""

    def __init__(self, params: DetectionParams) -> None:
        self._params = params

    def adapt(self, config: Config, train: AnnotatedSplit) -> list[Step]:
        """Set heads for the data's classes, and pipelines for image_size and augment."""
        return adapt_detector(config, train, self._params, with_mask=False)

    def adapt_model(self, model: BaseModel, train: AnnotatedSplit) -> None:
        """Do nothing: a detector takes everything from its config."""

    def dataset_meta(self, train: AnnotatedSplit) -> dict[str, Any]:
        """Return the class names, and the annotations' id of each."""
        return {"classes": list(train.names), "category_ids": [category.id for category in train.categories]}
