"""Boxes, masks and points drawn into pictures: for predictions, the report, and `adapt check`."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torchvision.io import encode_jpeg
from torchvision.transforms.functional import resize
from torchvision.utils import draw_bounding_boxes, draw_keypoints, draw_segmentation_masks

COLOURS = ((230, 57, 70), (29, 120, 200), (42, 157, 80), (244, 162, 40), (131, 56, 180), (0, 180, 180), (200, 80, 150))
_QUALITY = 85
_GAP, _CAPTION = 4, 18


def read_pixels(path: Path, as_stored: bool = False) -> torch.Tensor:
    """An image file as RGB, uint8 (3, height, width).

    Args:
        path: the file.
        as_stored: without its EXIF rotation.
    """
    import cv2

    flag = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION if as_stored else cv2.IMREAD_COLOR
    return torch.from_numpy(cv2.cvtColor(cv2.imread(str(path), flag), cv2.COLOR_BGR2RGB)).permute(2, 0, 1)


def shrunk(image: torch.Tensor, longest: int) -> tuple[torch.Tensor, float]:
    """An image whose longer side has at most `longest` pixels, and by what its coordinates are multiplied."""
    height, width = image.shape[-2:]
    scale = min(1.0, longest / max(height, width))
    if scale == 1.0:
        return image, scale
    return resize(image, [max(1, round(height * scale)), max(1, round(width * scale))], antialias=True), scale


def with_objects(
    image: torch.Tensor,
    objects: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    palette: Sequence[Sequence[int]] = (),
    scale: float = 1.0,
) -> torch.Tensor:
    """An image with boxes, masks and class names on it.

    Args:
        image: uint8 (3, height, width).
        objects: each with `label`, `bbox` [x, y, width, height], and perhaps `score` and `segmentation`.
        names: classes by label.
        palette: colours by label; classes behind its end get others.
        scale: image pixels for one pixel of the coordinates.
    """
    if not objects:
        return image
    colours = [tuple(palette[i]) if i < len(palette) else COLOURS[i % len(COLOURS)] for i in range(len(names))]
    chosen = [colours[item["label"]] for item in objects]
    if objects[0].get("segmentation"):
        height, width = (round(side / scale) for side in image.shape[-2:])
        masks = torch.stack([mask_of(item["segmentation"], height, width) for item in objects])
        if masks.shape[-2:] != image.shape[-2:]:
            masks = resize(masks.to(torch.uint8), list(image.shape[-2:])).bool()
        image = draw_segmentation_masks(image, masks, alpha=0.5, colors=chosen)
    corners = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in (item["bbox"] for item in objects)]) * scale
    scores = [f" {item['score']:.2f}" if "score" in item else "" for item in objects]
    words = [f"{names[item['label']]}{score}" for item, score in zip(objects, scores, strict=True)]
    drawn: torch.Tensor = draw_bounding_boxes(image, corners, labels=words, colors=chosen, width=2)
    return drawn


def mask_of(segmentation: Any, height: int, width: int) -> torch.Tensor:
    """COCO polygons or RLE as a mask, bool (height, width)."""
    from pycocotools import mask as rle

    if isinstance(segmentation, list):
        encoded = rle.merge(rle.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        encoded = rle.frPyObjects(segmentation, *segmentation["size"])
    else:
        encoded = segmentation
    return torch.from_numpy(rle.decode(encoded)).bool()


def with_points(
    image: torch.Tensor, instances: Sequence[Sequence[float]], skeleton: Sequence[Sequence[int]], scale: float = 1.0
) -> torch.Tensor:
    """An image with the points and skeletons of bodies on it.

    Args:
        image: uint8 (3, height, width).
        instances: for each body x, y and visibility (0: not there) of each point in a row.
        skeleton: pairs of points (0-based) that are joined.
        scale: image pixels for one pixel of the coordinates.
    """
    if not len(instances):
        return image
    points = torch.tensor([list(map(float, body)) for body in instances]).reshape(len(instances), -1, 3)
    links = [(int(a), int(b)) for a, b in skeleton] or None
    there = points[..., 2] > 0
    places = points[..., :2] * scale
    drawn: torch.Tensor = draw_keypoints(image, places, links, colors="red", radius=4, width=2, visibility=there)
    return drawn


def as_uri(image: torch.Tensor) -> str:
    """An image, uint8 (3, height, width), as text that a page shows ("data:image/jpeg;base64,...")."""
    encoded = encode_jpeg(image.contiguous(), quality=_QUALITY).numpy().tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(encoded).decode()}"


def captioned_grid(images: Sequence[torch.Tensor], captions: Sequence[str], columns: int = 4) -> bytes:
    """Images side by side, each with a line of text below it, as a PNG.

    Args:
        images: uint8 (3, height, width) each, of any size.
        captions: one for each.
        columns: images in a row.
    """
    from PIL import Image, ImageDraw

    height, width = (max(image.shape[side] for image in images) for side in (-2, -1))
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    cell = (width + 2 * _GAP, height + _CAPTION)
    sheet = Image.new("RGB", (columns * cell[0], rows * cell[1]), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = (number % columns) * cell[0] + _GAP, (number // columns) * cell[1]
        sheet.paste(Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()), (left, top))
        pen.text((left, top + image.shape[-2] + 2), caption[: max(1, width // 6)], fill="black")
    written = io.BytesIO()
    sheet.save(written, "PNG")
    return written.getvalue()
