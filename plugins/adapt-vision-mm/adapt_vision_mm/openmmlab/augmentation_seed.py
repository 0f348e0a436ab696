"""Augmentation that depends on nothing but seed, epoch and image: the same in any worker, and after a resume."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy

from adapt_core.errors import DataError


def item(dataset: Any, seed: int, index: int) -> Any:
    """The image `index % len` of an mmengine data set, augmented as in epoch `index // len`.

    Raises:
        DataError: the pipeline left nothing of it.
    """
    epoch, number = divmod(index, len(dataset))
    with _random_state_of(seed, epoch, number):
        data = dataset.prepare_data(number)
    if data is None:
        raise DataError(f"{dataset.get_data_info(number)['img_path']}: the pipeline left nothing of the image.")
    return data


@contextmanager
def _random_state_of(*key: int) -> Iterator[None]:
    """Python's and NumPy's random state as a function of a key, and as it was before at the end."""
    python_state, numpy_state = random.getstate(), numpy.random.get_state()
    seed = int(numpy.random.SeedSequence(list(key)).generate_state(1)[0])
    random.seed(seed)
    numpy.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)
