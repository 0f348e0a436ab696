"""An annotated split as a dataset of mmpose: an item is an instance (top-down) or an image (bottom-up)."""

from __future__ import annotations

from typing import Any

from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.openmmlab.augmentation_seed import augmented_item
from adapt_vision_mm.openmmlab.contracts import Step
from adapt_vision_mm.openmmlab.photo import load_photos
from adapt_vision_mm.pose_detection.metainfo import metainfo


class PoseDataset(BaseCocoStyleDataset):
    """A split for mmpose.

    Args:
        annotated: the split.
        pipeline: mmpose transforms.
        data_mode: "topdown" or "bottomup".
        seed: SEED.
        training: leave out what has no keypoints.
    """

    METAINFO: dict[str, Any] = {}  # noqa: RUF012 - mmengine's contract

    def __init__(
        self, annotated: AnnotatedSplit, pipeline: list[Step], data_mode: str, seed: int, *, training: bool
    ) -> None:
        self.annotated = annotated
        self._seed = seed
        super().__init__(
            metainfo=metainfo(annotated),
            data_mode=data_mode,
            pipeline=load_photos(pipeline),
            test_mode=not training,
            serialize_data=False,
        )

    def _load_annotations(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        instances, images = [], []
        for image in self.annotated.images:
            info = {"img_id": image.id, "img_path": str(image.path), "width": image.width, "height": image.height}
            images.append(info)
            for annotation in image.annotations:
                parsed = self.parse_data_info({"raw_ann_info": annotation, "raw_img_info": info})
                if parsed:
                    instances.append(parsed)
        return instances, images

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return mmpose's data infos, each with `as_stored` of its image."""
        as_stored = {image.id: image.as_stored for image in self.annotated.images}
        return [{**info, "as_stored": as_stored[info["img_id"]]} for info in super().load_data_list()]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the item `index % len`, augmented as in epoch `index // len`."""
        return augmented_item(self, self._seed, index)
