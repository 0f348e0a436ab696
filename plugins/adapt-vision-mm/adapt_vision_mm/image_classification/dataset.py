"""Rows of images and targets as inputs of the model, the same for any number of loading processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, overload

import torch
from torch.utils.data import Dataset

from adapt_core.errors import DataError
from adapt_core.hf.problems.targets import Target

from adapt_vision_mm.image_classification.sources import ImageValue, image_source, name_of
from adapt_vision_mm.images.decoder import image_digest, read_rgb

if TYPE_CHECKING:
    from PIL.Image import Image

    from adapt_vision_mm.image_classification.mixing import Mixing
    from adapt_vision_mm.image_classification.transforms import Transform

_MIXED = 0x9E3779B97F4A7C15
_SEEDS = 2**63 - 1
_AGAIN = 2**20


class Example(TypedDict):
    """An input of the model: `pixel_values` (3, height, width) float, and `labels`, the target."""

    pixel_values: torch.Tensor
    labels: Target


class UnreadableImageError(DataError):
    """An image that proves broken during training.

    A loading process passes its error on as text with a traceback; the message is its last line.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text.strip().splitlines()[-1].removeprefix(f"{__name__}.{type(self).__name__}: "))


class ImageDataset(Dataset[Example]):
    """Images of one split.

    An image's random crop depends on seed, epoch and row alone: not on the number of workers or ranks, nor on
    whether the run was interrupted and resumed.

    Args:
        images: paths, bytes, or values of a dataset's image column.
        labels: the targets.
        transform: image -> float tensor (3, height, width).
        base: folders that relative paths are searched in.
        seed: of random transforms; None for a deterministic transform.

    Attributes:
        epoch: that random transforms depend on.
        mixing: mixes the images of a training batch, where that is wanted.
        shows_repeats: see `TrainerComponents.shares`.
    """

    shows_repeats = True

    def __init__(
        self,
        images: Sequence[ImageValue],
        labels: Sequence[Target],
        transform: Transform,
        base: Sequence[Path] = (),
        seed: int | None = None,
    ) -> None:
        self._images = images
        self.labels = labels
        self._transform = transform
        self._base = base
        self._seed = seed
        self._distinct = self
        self.epoch = 0
        self.mixing: Mixing | None = None

    def in_epoch(self, rows: Sequence[int]) -> ImageDataset:
        """Return the images of an epoch: those of these rows, of which some come again."""
        images, labels = _Chosen(self._images, rows), [self.labels[row] for row in rows]
        found = ImageDataset(images, labels, self._transform, self._base, self._seed)
        found._distinct = self
        return found

    def with_transform(self, transform: Transform) -> ImageDataset:
        """Return the same images, each once, with another transform, which is not random."""
        distinct = self._distinct
        return ImageDataset(distinct._images, distinct.labels, transform, distinct._base)

    def name(self, row: int) -> str:
        """Return the name of an image without its folders, or its row from 1 where it has none."""
        return Path(name_of(self._images[row], row)).name

    @property
    def is_random(self) -> bool:
        """Whether the transform is random."""
        return self._seed is not None

    @property
    def transform_key(self) -> str:
        """What the pixels of an image and an epoch depend on."""
        return repr((self._transform, self._seed))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that random crops depend on. Takes effect in loading processes that start later."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> Example:
        """Return the example of a row; row + k x rows is its k-th further view in the epoch.

        Raises:
            UnreadableImageError: the image cannot be decoded; the message names it.
        """
        again, row = divmod(row, len(self))
        return self.example(row, self.epoch + again * _AGAIN)

    def example(self, row: int, epoch: int) -> Example:
        """Return the example of a row as an epoch shows it.

        Raises:
            UnreadableImageError: the image cannot be decoded; the message names it.
        """
        return {"pixel_values": self._transform_row(self.image(row), row, epoch), "labels": self.labels[row]}

    def source(self, row: int) -> Path | bytes:
        """Return the file or the bytes of a row's image."""
        return image_source(self._images[row], self._base)

    def digest(self, row: int) -> str:
        """Return a digest of a row's encoded image; of its path where the file is gone."""
        return image_digest(self.source(row))

    def image(self, row: int) -> Image:
        """Return a row's image before its transform: 8-bit RGB, upright.

        Raises:
            UnreadableImageError: it cannot be decoded; the message names it.
        """
        value = self._images[row]
        try:
            return read_rgb(image_source(value, self._base), name_of(value, row))
        except DataError as error:
            raise UnreadableImageError(str(error)) from None

    def _transform_row(self, image: Image, row: int, epoch: int) -> torch.Tensor:
        if self._seed is None:
            return self._transform(image)
        state = torch.get_rng_state()
        torch.default_generator.manual_seed((self._seed * _MIXED + epoch * 1_000_003 + row * 7_368_787) % _SEEDS)
        try:
            return self._transform(image)
        finally:
            torch.set_rng_state(state)


class _Chosen(Sequence[ImageValue]):
    """Values by their numbers, of which some may come again; they are read when they are asked for."""

    def __init__(self, values: Sequence[ImageValue], rows: Sequence[int]) -> None:
        self._values = values
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, position: int) -> ImageValue: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[ImageValue]: ...
    def __getitem__(self, position: int | slice) -> ImageValue | Sequence[ImageValue]:
        if isinstance(position, slice):
            return _Chosen(self._values, self._rows[position])
        return self._values[self._rows[position]]
