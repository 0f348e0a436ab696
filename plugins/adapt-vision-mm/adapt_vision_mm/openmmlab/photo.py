"""Images as mmdet and mmpose take them, read as every task of this package reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from adapt_vision_mm.images.decoder import read_rgb
from adapt_vision_mm.openmmlab.contracts import Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

_READERS = ("LoadImageFromFile", "LoadImage")


def read_bgr(path: Path, *, as_stored: bool = False) -> NDArray[numpy.uint8]:
    """Return an image file as uint8 (height, width, 3) in the order blue, green, red.

    Raises:
        DataError: it cannot be decoded.
    """
    rgb = numpy.asarray(read_rgb(path, as_stored=as_stored))
    # A copy of numpy's reversed view has the same bytes, and takes half of the time of decoding a small JPEG.
    bgr: NDArray[numpy.uint8] = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return bgr


def as_pixels(photo: NDArray[numpy.uint8]) -> torch.Tensor:
    """Return what `read_bgr` returned as RGB, uint8 (3, height, width)."""
    return torch.from_numpy(photo[:, :, ::-1].copy()).permute(2, 0, 1).contiguous()


@TRANSFORMS.register_module()
class LoadPhoto(BaseTransform):
    """Reads an image by `read_bgr`: upright, unless its annotations refer to the stored pixels."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add `img` (height, width, 3; uint8), `img_shape` and `ori_shape`.

        Args:
            results: with `img_path`, and `as_stored` where it is not False.
        """
        image = read_bgr(Path(results["img_path"]), as_stored=bool(results.get("as_stored")))
        return {**results, "img": image, "img_shape": image.shape[:2], "ori_shape": image.shape[:2]}


def load_photos(pipeline: Iterable[Step]) -> list[Step]:
    """Return a pipeline that reads images by `LoadPhoto`, where the package's own readers differ between tasks."""
    return [{"type": "LoadPhoto"} if step["type"] in _READERS else step for step in pipeline]
