"""The config of an instance segmentation model, with heads for the data's classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.openmmlab.contracts import Step
from adapt_vision_mm.openmmlab.detectors.config import adapt_detector

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.model import BaseModel

    from adapt_vision_mm.mm_params import SegmentationParams


class SegmentationConfig:
    """Adapts the config of an instance segmentation model: a `ConfigAdapter`."""

    def __init__(self, params: SegmentationParams) -> None:
        self._params = params

    def adapt(self, config: Config, train: AnnotatedSplit) -> list[Step]:
        """Set heads for the data's classes, and pipelines with masks for image_size and augment.

        Raises:
            InputError: the model does not predict masks.
        """
        loss_pipeline = adapt_detector(config, train, self._params, with_mask=True)
        model = config.model
        mask_head = model.get("mask_head") or (model.get("roi_head") or {}).get("mask_head")
        if not (mask_head or "Ins" in str((model.get("bbox_head") or {}).get("type"))):
            raise InputError(
                f"MODEL_PATH: {Path(config.filename).stem} predicts boxes, not masks. Use an instance segmentation "
                "config (rtmdet-ins_tiny_8xb32-300e_coco, mask-rcnn_r50_fpn_1x_coco, ...), or TASK: object_detection."
            )
        # RTMDet-Ins relies on the fixed-size images of its own pipeline; here the images of a batch differ in size.
        model.data_preprocessor["pad_mask"] = True
        return loss_pipeline

    def adapt_model(self, model: BaseModel, train: AnnotatedSplit) -> None:
        """Do nothing: the model takes everything from its config."""

    def dataset_meta(self, train: AnnotatedSplit) -> dict[str, Any]:
        """Return the class names, and the annotations' id of each."""
        return {"classes": list(train.names), "category_ids": [category.id for category in train.categories]}
