"""Small pictures in the colours of their classes."""

from __future__ import annotations

from typing import Any

import numpy
from PIL import Image

COLOURS = {"blue": (40, 60, 200), "green": (40, 190, 60), "red": (200, 50, 40)}


def picture(name: str, seed: int, size: tuple[int, int] = (40, 36)) -> Image.Image:
    """A noisy picture in the colour of its class."""
    noise = numpy.random.default_rng(seed).normal(0, 40, (size[1], size[0], 3))
    return Image.fromarray((noise + COLOURS[name]).clip(0, 255).astype(numpy.uint8))


def counts(rows: Any) -> dict[str, int]:
    """Return the number of rows of each split."""
    return {split: len(dataset) for split, dataset in rows.splits.items()}
