"""An annotated split as a data set of mmengine, with augmentation that depends on nothing but seed, epoch and image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mmcv
import numpy
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS, TRANSFORMS
from torch.utils.data import Sampler

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.openmmlab.augmentation_seed import item


@TRANSFORMS.register_module()
class LoadPhoto(LoadImageFromFile):
    """Reads an image of any mode as BGR, with its EXIF rotation unless it was annotated without."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds `img` (height, width, 3; uint8), `img_shape` and `ori_shape`."""
        flag = "color_ignore_orientation" if results.get("as_stored") else "color"
        image = mmcv.imread(results["img_path"], flag=flag, backend="cv2")
        if image is None:
            raise DataError(f"{results['img_path']}: the image cannot be decoded.")
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results


@DATASETS.register_module()
class AnnotatedDataset(BaseDetDataset):
    """A split for mmdet.

    Args:
        annotated: the split.
        pipeline: mmdet transforms; LoadImageFromFile becomes LoadPhoto.
        seed: SEED.
        training: leaves out images without annotations, as mmdet does.
    """

    METAINFO: dict[str, Any] = {}  # noqa: RUF012 - mmengine's contract

    def __init__(self, annotated: AnnotatedSplit, pipeline: list[Any], seed: int, training: bool) -> None:
        self.annotated = annotated
        self._seed = seed
        super().__init__(
            metainfo={"classes": annotated.names},
            pipeline=[_with_photo(step) for step in pipeline],
            test_mode=not training,
            serialize_data=False,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """mmdet's data infos."""
        labels = self.annotated.label_of()
        pictures = self.annotated.pictures
        if not self.test_mode:
            pictures = tuple(p for p in pictures if any(not a["iscrowd"] for a in p.annotations))
        return [
            {
                "img_path": str(picture.path),
                "img_id": picture.id,
                "width": picture.width,
                "height": picture.height,
                "as_stored": picture.as_stored,
                "instances": [_instance(annotation, labels) for annotation in picture.annotations],
            }
            for picture in pictures
        ]

    def filter_data(self) -> list[dict[str, Any]]:
        """Nothing more to leave out."""
        return list(self.data_list)

    def __getitem__(self, index: int) -> Any:
        """The image `index % len`, augmented as in epoch `index // len`."""
        return item(self, self._seed, index)


def _with_photo(step: Any) -> Any:
    return {"type": "LoadPhoto"} if isinstance(step, dict) and step.get("type") == "LoadImageFromFile" else step


def _instance(annotation: dict[str, Any], labels: dict[int, int]) -> dict[str, Any]:
    x, y, width, height = annotation["bbox"]
    instance = {
        "bbox": [x, y, x + width, y + height],
        "bbox_label": labels[annotation["category_id"]],
        "ignore_flag": annotation["iscrowd"],
    }
    if annotation.get("segmentation"):
        instance["mask"] = annotation["segmentation"]
    return instance


class EpochSampler(Sampler[int]):
    """Shuffles by seed and epoch, shares among processes, and can start in the middle of an epoch.

    It yields `epoch * length + index`, so that a data set in any worker knows the epoch.

    Args:
        length: of the data set.
        seed: SEED.
        rank, world_size: this process among those of the run.
    """

    def __init__(self, length: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self._length, self._seed = length, seed
        self._rank, self._world_size = rank, world_size
        self._epoch = 0
        self._skipped = 0

    def start(self, epoch: int, skipped: int = 0) -> None:
        """Sets the epoch, and how many of this process's examples are left out at its start."""
        self._epoch, self._skipped = epoch, skipped

    def __iter__(self) -> Iterator[int]:
        order = numpy.random.default_rng([self._seed, self._epoch]).permutation(self._length).tolist()
        order += order[: -len(order) % self._world_size]
        mine = order[self._rank :: self._world_size][self._skipped :]
        return iter([self._epoch * self._length + index for index in mine])

    def __len__(self) -> int:
        """Examples of a whole epoch, for this process."""
        return -(-self._length // self._world_size)
