"""Seeds, and phases that must leave no trace in the random state."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import torch

from adapt_core.nn.accelerators import random_states, set_random_states


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every GPU too), as transformers' `set_seed` does."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def untouched_random_state() -> Iterator[None]:
    """Restore every random state at the end, so that what was done inside changes nothing that follows."""
    python_state = random.getstate()
    numpy_state = numpy.random.get_state()
    torch_state = torch.get_rng_state()
    accelerator_states = random_states()
    try:
        yield
    finally:
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)
        set_random_states(accelerator_states)
