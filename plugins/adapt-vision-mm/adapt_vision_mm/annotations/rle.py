"""Masks as COCO's run-length encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    import torch

    from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, Segmentation


def encode_masks(masks: torch.Tensor) -> list[Segmentation]:
    """Return boolean masks (n, height, width) as RLE."""
    import numpy
    from pycocotools import mask as rle

    stacked = numpy.asfortranarray(masks.cpu().numpy().astype("uint8").transpose(1, 2, 0))
    return [_as_data(one) for one in rle.encode(stacked)]


def encode_part(
    pixels: numpy.ndarray[Any, Any], left: int, top: int, image: AnnotatedImage
) -> tuple[Mapping[str, Any], list[float]]:
    """Return a mask that covers a part of an image as RLE of all of it, with its box [x, y, width, height].

    Args:
        pixels: (height, width), not 0 where the mask is.
        left, top: the place of its first pixel.
        image: the image; what lies beyond it is cut.
    """
    import numpy
    from pycocotools import mask as rle

    whole = numpy.zeros((image.height, image.width), dtype="uint8", order="F")
    height, width = pixels.shape
    from_row, from_column = max(-top, 0), max(-left, 0)
    to_row, to_column = min(height, image.height - top), min(width, image.width - left)
    if to_row > from_row and to_column > from_column:
        part = pixels[from_row:to_row, from_column:to_column] != 0
        whole[top + from_row : top + to_row, left + from_column : left + to_column] = part
    found = rle.encode(whole)
    return _as_data(found), list(map(float, rle.toBbox(found)))


def join_masks(
    outlines: Sequence[Sequence[float]], masks: Sequence[Mapping[str, Any]], image: AnnotatedImage
) -> tuple[Mapping[str, Any], float]:
    """Return polygons and masks as one RLE, with its number of pixels.

    Args:
        outlines: polygons [x, y, x, y, ...].
        masks: RLE of the whole image.
        image: the image.
    """
    from pycocotools import mask as rle

    drawn = rle.frPyObjects(list(map(list, outlines)), image.height, image.width) if outlines else []
    joined = rle.merge([*drawn, *masks])
    return _as_data(joined), float(rle.area(joined))


def _as_data(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"size": list(map(int, found["size"])), "counts": found["counts"].decode()}
