"""An annotated split as a dataset of mmdet, with augmentation that depends on nothing but seed, epoch and image."""

from __future__ import annotations

from typing import Any

from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Annotation
from adapt_vision_mm.openmmlab.augmentation_seed import augmented_item
from adapt_vision_mm.openmmlab.contracts import FURTHER_VIEW, Step
from adapt_vision_mm.openmmlab.detectors.own_pipeline import last_epoch_from
from adapt_vision_mm.openmmlab.detectors.own_transform import OwnTraining
from adapt_vision_mm.openmmlab.photo import load_photos


@DATASETS.register_module()
class AnnotatedDataset(BaseDetDataset):
    """A split for mmdet.

    Args:
        annotated: the split.
        pipeline: mmdet transforms.
        seed: SEED.
        epochs: EPOCHS, of which the last may have another pipeline.
        training: leave out images without annotations, as mmdet does.

    Attributes:
        steps: the pipeline as it was given.
    """

    METAINFO: dict[str, Any] = {}  # noqa: RUF012 - mmengine's contract

    def __init__(
        self, annotated: AnnotatedSplit, pipeline: list[Step], seed: int, epochs: float = 1.0, *, training: bool
    ) -> None:
        self.annotated, self.steps = annotated, pipeline
        self._seed, self._epochs = seed, epochs
        self._epoch = 0
        super().__init__(
            metainfo={"classes": annotated.names},
            pipeline=load_photos(pipeline),
            test_mode=not training,
            serialize_data=False,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return mmdet's data infos."""
        labels = self.annotated.label_of()
        images = self.annotated.images
        if not self.test_mode:
            images = tuple(image for image in images if any(not a["iscrowd"] for a in image.annotations))
        return [
            {
                "img_path": str(image.path),
                "img_id": image.id,
                "width": image.width,
                "height": image.height,
                "as_stored": image.as_stored,
                "instances": [_instance(annotation, labels) for annotation in image.annotations],
            }
            for image in images
        ]

    def filter_data(self) -> list[dict[str, Any]]:
        """Return all data infos: `load_data_list` has left out the others."""
        return list(self.data_list)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the image `index % len`, augmented as in epoch `index // len`."""
        self._epoch = index // len(self) % FURTHER_VIEW
        return augmented_item(self, self._seed, index)

    def prepare_data(self, idx: int) -> Any:
        """Return an image by the pipeline; by that of a config with images that it mixes in, where it is its own."""
        own = self.pipeline.transforms[0] if self.pipeline.transforms else None
        if not isinstance(own, OwnTraining):
            return super().prepare_data(idx)
        first = last_epoch_from(own.last_share, self._epochs)
        return own.prepare(self, idx, last=first is not None and self._epoch >= first)


def _instance(annotation: Annotation, labels: dict[int, int]) -> dict[str, Any]:
    x, y, width, height = annotation["bbox"]
    instance = {
        "bbox": [x, y, x + width, y + height],
        "bbox_label": labels[annotation["category_id"]],
        "ignore_flag": annotation["iscrowd"],
    }
    if annotation.get("segmentation"):
        instance["mask"] = annotation["segmentation"]
    return instance
