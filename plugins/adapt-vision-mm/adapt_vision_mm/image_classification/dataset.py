"""Rows of images and labels as model inputs, the same for every number of loading processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import Dataset

from adapt_core.errors import DataError

from adapt_vision_mm.image_classification.rows import image_source, name_of
from adapt_vision_mm.images.decoder import read_rgb

if TYPE_CHECKING:
    from PIL.Image import Image

Transform = Callable[["Image"], torch.Tensor]

_MIXED = 0x9E3779B97F4A7C15
_SEEDS = 2**63 - 1


class UnreadableImageError(DataError):
    """An image that turned out to be broken while training.

    A loading process hands its error over as text with a traceback; what is shown is its last line.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text.strip().splitlines()[-1].removeprefix(f"{__name__}.{type(self).__name__}: "))


class ImageDataset(Dataset[dict[str, Any]]):
    """Images of one split.

    An image's random crop depends on the seed, the epoch and the row alone: not on the number of workers or ranks, nor
    on whether the run was cut and resumed.

    Args:
        images: paths, bytes, or what a data set's image column holds.
        labels: class ids.
        transform: image -> float tensor (3, height, width).
        base: folders in which relative paths are looked for.
        seed: of random transforms; None for a transform that draws nothing.
    """

    def __init__(
        self,
        images: Sequence[Any],
        labels: Sequence[int],
        transform: Transform,
        base: Sequence[Path] = (),
        seed: int | None = None,
    ) -> None:
        self._images = images
        self.labels = labels
        self._transform = transform
        self._base = base
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Tells which epoch the images are read for. Takes effect in loading processes that start later."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """`pixel_values` (3, height, width) float and `labels`.

        Raises:
            UnreadableImageError: the image cannot be decoded; the message names it.
        """
        return {"pixel_values": self._transformed(self.image(row), row), "labels": int(self.labels[row])}

    def image(self, row: int) -> Image:
        """A row's image as it lies: 8-bit RGB, upright.

        Raises:
            UnreadableImageError: it cannot be decoded; the message names it.
        """
        value = self._images[row]
        try:
            return read_rgb(image_source(value, self._base), name_of(value, row))
        except DataError as error:
            raise UnreadableImageError(str(error)) from None

    def _transformed(self, image: Image, row: int) -> torch.Tensor:
        if self._seed is None:
            return self._transform(image)
        state = torch.get_rng_state()
        torch.default_generator.manual_seed((self._seed * _MIXED + self._epoch * 1_000_003 + row * 7_368_787) % _SEEDS)
        try:
            return self._transform(image)
        finally:
            torch.set_rng_state(state)


def collate(examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch: `pixel_values` (rows, 3, height, width) and `labels` (rows,)."""
    return {
        "pixel_values": torch.stack([example["pixel_values"] for example in examples]),
        "labels": torch.tensor([example["labels"] for example in examples]),
    }
