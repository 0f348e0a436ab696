"""Images for the report and for `adapt check`: downscaled, as data URIs, in a captioned grid."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from torchvision.io import encode_jpeg
from torchvision.transforms.functional import pil_to_tensor, resize

from adapt_vision_mm.images.decoder import read_rgb

_QUALITY = 85
"""JPEG quality of data URIs."""
_GAP, _CAPTION = 4, 18
"""Pixels between the images of a grid, and the height of a caption."""


def read_pixels(path: Path, *, as_stored: bool = False) -> torch.Tensor:
    """Read an image file as RGB, uint8 (3, height, width).

    Args: as `read_rgb`.
    """
    pixels: torch.Tensor = pil_to_tensor(read_rgb(path, as_stored=as_stored))
    return pixels


def downscale(image: torch.Tensor, longest: int) -> tuple[torch.Tensor, float]:
    """Return an image whose longer side has at most `longest` pixels, and the factor for its coordinates."""
    height, width = image.shape[-2:]
    scale = min(1.0, longest / max(height, width))
    if scale == 1.0:
        return image, scale
    return resize(image, [max(1, round(height * scale)), max(1, round(width * scale))], antialias=True), scale


def to_data_uri(image: torch.Tensor) -> str:
    """Encode an image, uint8 (3, height, width), as a data URI ("data:image/jpeg;base64,...")."""
    encoded = encode_jpeg(image.contiguous(), quality=_QUALITY).numpy().tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(encoded).decode()}"


def render_grid(images: Sequence[torch.Tensor], captions: Sequence[str], columns: int = 4) -> bytes:
    """Lay out images in a grid, each with a caption below it, and return it as a PNG.

    Args:
        images: uint8 (3, height, width) each, of any size.
        captions: one per image.
        columns: images per row.
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
    png = io.BytesIO()
    sheet.save(png, "PNG")
    return png.getvalue()
