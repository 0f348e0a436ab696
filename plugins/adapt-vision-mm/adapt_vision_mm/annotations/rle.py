"""Masks as COCO's run-length encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from adapt_vision_mm.annotations.annotated_split import Segmentation


def encode_masks(masks: torch.Tensor) -> list[Segmentation]:
    """Return boolean masks (n, height, width) as RLE."""
    import numpy
    from pycocotools import mask as rle

    stacked = numpy.asfortranarray(masks.cpu().numpy().astype("uint8").transpose(1, 2, 0))
    return [{"size": list(map(int, one["size"])), "counts": one["counts"].decode()} for one in rle.encode(stacked)]
