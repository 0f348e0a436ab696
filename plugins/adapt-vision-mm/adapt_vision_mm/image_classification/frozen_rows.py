"""Images whose frozen part is computed once for each augmented view: their key, inputs and numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import xxhash
from torch.utils.data import DataLoader, Dataset

from adapt_core.config.plan import Plan
from adapt_core.hf.frozen.rows import ROW
from adapt_core.runtime.cores import loading_processes

from adapt_vision_mm.image_classification.collate import collate
from adapt_vision_mm.image_classification.dataset import Example, ImageDataset
from adapt_vision_mm.image_classification.params import ImageClassificationParams

log = logging.getLogger(__name__)

_LIBRARIES = ("torchvision", "pillow", "transformers")


class FrozenViews:
    """The views of the images of one split; view n of an image is what epoch n of a run without a cache trains on.

    Args:
        images: of the split.
        views: of each image, 1 where they are not augmented; further passes over the data show the first again.
        processes: that load images.
    """

    def __init__(self, images: ImageDataset, views: int, processes: int) -> None:
        self._images = images
        self._views = views
        self._processes = processes

    @property
    def key(self) -> str:
        """A fingerprint of files and transform. Of a file it takes path, size and time of change."""
        libraries = [(name, version(name)) for name in _LIBRARIES]
        digest = xxhash.xxh3_128(repr((self._images.transform_key, self._views, libraries)).encode())
        for row in range(len(self._images)):
            source = self._images.source(row)
            digest.update(_stamp(source) if isinstance(source, Path) else source)
        return digest.hexdigest()

    @property
    def lengths(self) -> None:
        """None: images have no tokens."""

    def __len__(self) -> int:
        return len(self._images) * self._views

    def batches(
        self, rows: Sequence[Sequence[int]], cuts: Mapping[int, int] = MappingProxyType({})
    ) -> Iterator[Mapping[str, Any]]:
        """Yield batches of pixels; there are no tokens to cut."""
        yield from DataLoader(
            _Views(self._images),
            batch_sampler=[list(numbers) for numbers in rows],
            num_workers=self._processes,
            collate_fn=collate,
        )

    def numbered(self) -> Dataset[Any]:
        """Return labels and numbers, without the images."""
        return _Numbers(self._images, self._views)

    def stand_ins(self, rows: int) -> Mapping[str, torch.Tensor]:
        """Return pixels without memory."""
        return {"pixel_values": torch.zeros(()).expand(rows, *self._shape)}

    @cached_property
    def _shape(self) -> torch.Size:
        return self._images[0]["pixel_values"].shape


def _stamp(path: Path) -> bytes:
    found = path.stat()
    return repr((str(path), found.st_size, found.st_mtime_ns)).encode()


class _Views(Dataset[Example]):
    """All views of images, one view of all images after the other."""

    def __init__(self, images: ImageDataset) -> None:
        self._images = images

    def __getitem__(self, number: int) -> Example:
        view, row = divmod(number, len(self._images))
        return self._images.example(row, view)


class _Numbers(Dataset[Mapping[str, Any]]):
    """The target of each image, and the number of the view that the epoch shows; of one that comes again the next."""

    shows_repeats = True

    def __init__(self, images: ImageDataset, views: int) -> None:
        self._images = images
        self._views = views

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: int) -> Mapping[str, Any]:
        again, row = divmod(number, len(self._images))
        view = (self._images.epoch + again) % self._views
        return {"labels": self._images.labels[row], ROW: view * len(self._images) + row}


def frozen_views(plan: Plan[ImageClassificationParams], images: ImageDataset, passes: float) -> FrozenViews | None:
    """Return the views of a split, or None, and say why, where no view of an image comes twice.

    Args:
        plan: for AUGMENTED_VIEWS and what mixes images.
        images: of the split.
        passes: over it.
    """
    params = plan.task.params
    if images.is_random and params.mixes:
        log.info("the frozen part is computed at every step: MIXUP and CUTMIX mix the images of each batch anew.")
        return None
    views = (params.augmented_views or passes) if images.is_random else 1
    if views >= passes:
        log.info(
            "the frozen part is computed at every step: each epoch shows new views of the images. With fewer "
            "AUGMENTED_VIEWS than EPOCHS, or augmentation: false, it is computed once for each view."
        )
        return None
    return FrozenViews(images, int(views), loading_processes(plan.training.num_workers))
