"""Boxes around objects, with any detector of mmdet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.average_precision import average_precision
from adapt_vision_mm.annotations.per_class import class_precision
from adapt_vision_mm.annotations.results import detections
from adapt_vision_mm.annotations.splits import read_detection, read_splits
from adapt_vision_mm.openmmlab.task import MmTask

if TYPE_CHECKING:
    import torch
    from torch import nn


class ObjectDetection(MmTask):
    """The task object_detection."""

    package = "mmdet"
    init = "mmdet.apis:init_detector"
    metrics = {"mAP": "higher", "AP50": "higher", "AP75": "higher"}  # noqa: RUF012 - declared a ClassVar in the base
    masks = False

    def read_splits(self) -> dict[str, AnnotatedSplit]:
        """COCO JSON or Pascal VOC."""
        return read_splits(self.plan, lambda place, names: read_detection(self.plan, place, names))

    def fit(self, config: Any) -> None:
        """Heads for the data's classes, and pipelines for image_size and augment."""
        from adapt_vision_mm.openmmlab import pipelines
        from adapt_vision_mm.openmmlab.model_config import fit_classes

        params = self.plan.task.params
        fit_classes(config.model, len(self.splits["train"].categories))
        size = pipelines.image_size(config, params.image_size)
        for key in ("train_pipeline", "test_pipeline", "train_pipeline_stage2"):
            config.pop(key, None)
        config.train_pipeline = pipelines.training(size, params.augment, self.masks)
        config.test_pipeline = pipelines.testing(size, self.masks)
        self.loss_pipeline = pipelines.training(size, augment=False, masks=self.masks)
        # What plain mmdet needs of a data set to load the model again.
        dataset = {
            "type": "CocoDataset",
            "metainfo": {"classes": self.splits["train"].names},
            "pipeline": config.test_pipeline,
        }
        for key in ("train_dataloader", "val_dataloader", "val_evaluator", "test_evaluator", "val_cfg", "test_cfg"):
            config.pop(key, None)
        config.pop("test_dataloader", None)
        config.test_dataloader = {"batch_size": 1, "dataset": dataset}

    def dataset(self, split: AnnotatedSplit, pipeline: Sequence[Mapping[str, Any]], training: bool) -> Any:
        """An mmdet data set."""
        from adapt_vision_mm.openmmlab.dataset import AnnotatedDataset

        return AnnotatedDataset(split, list(pipeline), self.plan.training.seed, training)

    def results(self, sample: Any, split: Any) -> list[dict[str, Any]]:
        """Boxes (and masks)."""
        return detections(sample, [category.id for category in split.annotated.categories], self.masks)

    def score(self, results: list[dict[str, Any]], split: Any) -> dict[str, float]:
        """COCO mAP, AP50 and AP75 of the boxes."""
        return average_precision(split.annotated, results, "bbox")

    def per_class(self, results: list[dict[str, Any]], split: Any) -> PerClass:
        """Average precision of each class."""
        return class_precision(split.annotated, results, "segm" if self.masks else "bbox")

    def draw(self, image: torch.Tensor, objects: Sequence[Mapping[str, Any]], scale: float) -> torch.Tensor:
        """Boxes (and masks) with class names."""
        from adapt_vision_mm.images.overlays import draw_objects

        train = self.splits["train"]
        labels = train.label_of()
        labelled = [{**item, "label": labels[item["category_id"]]} for item in objects]
        return draw_objects(image, labelled, train.names, getattr(self.plan.task.params, "palette", ()), scale)

    def draw_input(self, image: torch.Tensor, sample: Any) -> torch.Tensor:
        """Boxes (and masks) where the model sees them."""
        from adapt_vision_mm.images.overlays import draw_objects
        from adapt_vision_mm.openmmlab.preview import objects_of

        palette = getattr(self.plan.task.params, "palette", ())
        return draw_objects(image, objects_of(sample, self.masks), self.splits["train"].names, palette)

    def meta(self) -> dict[str, Any]:
        """Class names."""
        return {"classes": list(self.splits["train"].names)}

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each image: {"image", "width", "height", "detections", "drawn"}.

        A detection has "category", "category_id" (1-based label), "bbox" [x, y, width, height] in pixels, "score", and
        "segmentation" (RLE) where the model gives masks. `drawn` is the annotated image in `predictions/` of the run,
        where `predictions.json` holds all detections as COCO results.
        """
        from adapt_vision_mm.object_detection.predict import predict_detections

        return predict_detections(model, folder, inputs, self.plan, self.masks)
