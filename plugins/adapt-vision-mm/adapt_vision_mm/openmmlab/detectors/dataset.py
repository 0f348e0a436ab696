"""An annotated split as a dataset of mmdet, with augmentation that depends on nothing but seed, epoch and image."""

from __future__ import annotations

from typing import Any

from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Annotation
from adapt_vision_mm.openmmlab.augmentation_seed import augmented_item
from adapt_vision_mm.openmmlab.contracts import Step
from adapt_vision_mm.openmmlab.photo import load_photos


@DATASETS.register_module()
class AnnotatedDataset(BaseDetDataset):
    """A split for mmdet.

    Args:
        annotated: the split.
        pipeline: mmdet transforms.
        seed: SEED.
        training: leave out images without annotations, as mmdet does.
    """

    METAINFO: dict[str, Any] = {}  # noqa: RUF012 - mmengine's contract

    def __init__(self, annotated: AnnotatedSplit, pipeline: list[Step], seed: int, *, training: bool) -> None:
        self.annotated = annotated
        self._seed = seed
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
        return augmented_item(self, self._seed, index)


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
