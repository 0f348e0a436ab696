"""An annotated split as a data set of mmpose: one item an instance (top-down), or one an image."""

from __future__ import annotations

from typing import Any

from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.openmmlab.augmentation_seed import item


class PoseDataset(BaseCocoStyleDataset):
    """A split for mmpose.

    Args:
        annotated: the split.
        metainfo: mmpose's description of the points.
        pipeline: mmpose transforms.
        top_down: whether each instance is cut out by its annotated box.
        seed: SEED.
        training: leaves out what has no points.
    """

    METAINFO: dict[str, Any] = {}  # noqa: RUF012 - mmengine's contract

    def __init__(
        self,
        annotated: AnnotatedSplit,
        metainfo: dict[str, Any],
        pipeline: list[Any],
        top_down: bool,
        seed: int,
        training: bool,
    ) -> None:
        self.annotated = annotated
        self._seed = seed
        super().__init__(
            metainfo=metainfo,
            data_mode="topdown" if top_down else "bottomup",
            pipeline=pipeline,
            test_mode=not training,
            serialize_data=False,
        )

    def _load_annotations(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        instances, images = [], []
        for picture in self.annotated.pictures:
            image = {
                "img_id": picture.id,
                "img_path": str(picture.path),
                "width": picture.width,
                "height": picture.height,
            }
            images.append(image)
            for annotation in picture.annotations:
                parsed = self.parse_data_info({"raw_ann_info": annotation, "raw_img_info": image})
                if parsed:
                    instances.append(parsed)
        return instances, images

    def __getitem__(self, index: int) -> Any:
        """The item `index % len`, augmented as in epoch `index // len`."""
        return item(self, self._seed, index)
