"""Masks of objects, with any instance segmentation model of mmdet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapt_core.errors import InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.average_precision import average_precision
from adapt_vision_mm.annotations.formats import coco, label_maps
from adapt_vision_mm.annotations.masks import mask_fault
from adapt_vision_mm.annotations.sources import Split, root_of
from adapt_vision_mm.annotations.splits import names_in, read_splits
from adapt_vision_mm.object_detection.task import ObjectDetection


class InstanceSegmentation(ObjectDetection):
    """The task instance_segmentation: object_detection with masks."""

    metrics = {  # noqa: RUF012 - declared a ClassVar in the base
        "mask_mAP": "higher",
        "mask_AP50": "higher",
        "mask_AP75": "higher",
        **ObjectDetection.metrics,
    }
    masks = True

    def read_splits(self) -> dict[str, AnnotatedSplit]:
        """COCO JSON with `segmentation`, or lists of names with PNG label maps."""
        return read_splits(self.plan, self._read)

    def _read(self, place: Split, names: Sequence[str] | None) -> AnnotatedSplit:
        skip = self.plan.data.skip_bad_rows
        if place.annotations is None:
            raise InputError("instance_segmentation needs masks: a COCO JSON, or label maps with train_ann_file.")
        if place.annotations.suffix == ".json":
            return coco.read(place.annotations, place.images, skip, judge=mask_fault)
        params = self.plan.task.params
        label_maps.check_classes(params.class_list, params.palette)
        return label_maps.read(
            names_in(place.annotations),
            place.images,
            label_maps.folder_of(root_of(self.plan), place.images),
            params.class_list,
            params.palette,
            str(place.annotations),
            skip,
        )

    def fit(self, config: Any) -> None:
        """As object_detection; the model must be one that gives masks."""
        super().fit(config)
        model = config.model
        gives_masks = model.get("mask_head") or (model.get("roi_head") or {}).get("mask_head")
        if not (gives_masks or "Ins" in str((model.get("bbox_head") or {}).get("type"))):
            raise InputError(
                f"MODEL_PATH: {self.files.config.stem} finds boxes, not masks. Use an instance segmentation config "
                "(rtmdet-ins_tiny_8xb32-300e_coco, mask-rcnn_r50_fpn_1x_coco, ...), or TASK: object_detection."
            )
        # RTMDet-Ins leaves this to fixed-size images in its own pipeline; here a batch's images differ in size.
        model.data_preprocessor["pad_mask"] = True

    def score(self, results: list[dict[str, Any]], split: Any) -> dict[str, float]:
        """COCO mAP, AP50 and AP75 of the masks and of the boxes."""
        return {
            **average_precision(split.annotated, results, "segm"),
            **average_precision(split.annotated, results, "bbox"),
        }
