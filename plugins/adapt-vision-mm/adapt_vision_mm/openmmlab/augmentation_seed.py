"""Augmentation as a function of seed, epoch and image: the same in any worker, and after a resume."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy

from adapt_core.errors import DataError

if TYPE_CHECKING:
    from mmengine.dataset import BaseDataset


def augmented_item(dataset: BaseDataset, seed: int, index: int) -> dict[str, Any]:
    """Return the item `index % len` of an mmengine dataset, augmented as in epoch `index // len`.

    Raises:
        DataError: the pipeline dropped it.
    """
    epoch, number = divmod(index, len(dataset))
    with _random_state_of(seed, epoch, number):
        data: dict[str, Any] | None = dataset.prepare_data(number)
    if data is None:
        raise DataError(
            f"{dataset.get_data_info(number)['img_path']}: the pipeline dropped the image."
            " Remove the step that drops it from the config's pipeline."
        )
    return data


@contextmanager
def _random_state_of(*key: int) -> Iterator[None]:
    """Seed Python and NumPy by a key within a context, and restore their state at its end."""
    python_state, numpy_state = random.getstate(), numpy.random.get_state()
    seed = int(numpy.random.SeedSequence(list(key)).generate_state(1)[0])
    random.seed(seed)
    numpy.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)
