"""Words on images, readable on any photo: each stands on a plate of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import torch

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
NOTHING_FOUND = "nothing found"
_SMALLEST, _SHARE = 10, 40
"""The least height of letters in pixels, and how many of them the longer side of a large image has."""
_PAD = 2


@attrs.frozen
class Caption:
    """Words above a place of an image, in pixels, on a plate of a colour."""

    text: str
    x: float
    y: float
    plate: Colour


def letter_colour(plate: Colour) -> Colour:
    """Return black or white, whichever has more contrast with a plate by WCAG 2.1 (at least 4.5 to 1)."""
    return BLACK if contrast(plate, BLACK) >= contrast(plate, WHITE) else WHITE


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4) for v in (c / 255 for c in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def draw_captions(image: torch.Tensor, captions: Iterable[Caption]) -> torch.Tensor:
    """Return an image with captions, each moved as far as it takes to lie inside.

    Args:
        image: uint8 (3, height, width).
        captions: in the order in which they are drawn.
    """
    from PIL import ImageDraw, ImageFont
    from torchvision.transforms.functional import pil_to_tensor, to_pil_image

    picture = to_pil_image(image)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(_SMALLEST, max(picture.size) // _SHARE))
    for caption in captions:
        left, top, right, bottom = pen.textbbox((0, 0), caption.text, font=font)
        width, height = right - left + 2 * _PAD, bottom - top + 2 * _PAD
        x = max(0.0, min(caption.x, picture.width - width))
        y = max(0.0, min(caption.y - height, picture.height - height))
        pen.rectangle((x, y, x + width - 1, y + height - 1), fill=caption.plate)
        pen.text((x + _PAD - left, y + _PAD - top), caption.text, font=font, fill=letter_colour(caption.plate))
    drawn: torch.Tensor = pil_to_tensor(picture)
    return drawn


def draw_note(image: torch.Tensor, text: str = NOTHING_FOUND) -> torch.Tensor:
    """Return an image, uint8 (3, height, width), with words in its upper left corner."""
    return draw_captions(image, [Caption(text, 0, 0, BLACK)])
