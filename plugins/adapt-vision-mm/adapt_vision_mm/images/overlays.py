"""Boxes, masks and keypoints drawn over an image: for predictions, the report, and `adapt check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torchvision.transforms.functional import resize
from torchvision.utils import draw_bounding_boxes, draw_keypoints, draw_segmentation_masks

from adapt_vision_mm.images.captions import Caption, Colour, draw_captions

Segmentation = list[list[float]] | Mapping[str, Any]
"""COCO's polygons ([x, y, x, y, ...] each), or RLE with `size` and `counts` (encoded or not)."""

COLOURS: tuple[Colour, ...] = (
    (230, 57, 70),
    (29, 120, 200),
    (42, 157, 80),
    (244, 162, 40),
    (131, 56, 180),
    (0, 180, 180),
    (200, 80, 150),
)


def draw_objects(
    image: torch.Tensor,
    objects: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    palette: Sequence[Sequence[int]] = (),
    scale: float = 1.0,
) -> torch.Tensor:
    """Return an image with boxes, masks and class names drawn over it.

    Args:
        image: uint8 (3, height, width).
        objects: each with `label`, `bbox` [x, y, width, height], and optionally `score` and `segmentation`.
        names: classes by label.
        palette: colours by label; classes beyond its end get colours of COLOURS.
        scale: image pixels per pixel of the coordinates.
    """
    if not objects:
        return image
    colours = [_colour(number, palette) for number in range(len(names))]
    chosen = [colours[item["label"]] for item in objects]
    if objects[0].get("segmentation"):
        height, width = (round(side / scale) for side in image.shape[-2:])
        masks = torch.stack([decode_mask(item["segmentation"], height, width) for item in objects])
        if masks.shape[-2:] != image.shape[-2:]:
            masks = resize(masks.to(torch.uint8), list(image.shape[-2:])).bool()
        image = draw_segmentation_masks(image, masks, alpha=0.5, colors=chosen)
    corners = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in (item["bbox"] for item in objects)]) * scale
    scores = [f" {item['score']:.2f}" if "score" in item else "" for item in objects]
    words = [f"{names[item['label']]}{score}" for item, score in zip(objects, scores, strict=True)]
    drawn: torch.Tensor = draw_bounding_boxes(image, corners, colors=chosen, width=2)
    places = zip(words, corners.tolist(), chosen, strict=True)
    return draw_captions(drawn, [Caption(word, left, top, colour) for word, (left, top, *_), colour in places])


def _colour(label: int, palette: Sequence[Sequence[int]]) -> Colour:
    if label >= len(palette):
        return COLOURS[label % len(COLOURS)]
    red, green, blue = palette[label]
    return red, green, blue


def decode_mask(segmentation: Segmentation, height: int, width: int) -> torch.Tensor:
    """Decode COCO polygons or RLE into a mask, bool (height, width)."""
    from pycocotools import mask as rle

    if isinstance(segmentation, list):
        encoded = rle.merge(rle.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        encoded = rle.frPyObjects(segmentation, *segmentation["size"])
    else:
        encoded = segmentation
    return torch.from_numpy(rle.decode(encoded)).bool()


def draw_poses(
    image: torch.Tensor, instances: Sequence[Sequence[float]], skeleton: Sequence[Sequence[int]], scale: float = 1.0
) -> torch.Tensor:
    """Return an image with the keypoints and skeletons of bodies drawn over it.

    Args:
        image: uint8 (3, height, width).
        instances: for each body x, y and visibility (0: not labelled) of each keypoint, flat.
        skeleton: pairs of keypoints (0-based) that are joined.
        scale: image pixels per pixel of the coordinates.
    """
    if not len(instances):
        return image
    points = torch.tensor([list(map(float, body)) for body in instances]).reshape(len(instances), -1, 3)
    links = [(int(a), int(b)) for a, b in skeleton] or None
    visible = points[..., 2] > 0
    positions = points[..., :2] * scale
    drawn: torch.Tensor = draw_keypoints(image, positions, links, colors="red", radius=4, width=2, visibility=visible)
    return drawn
