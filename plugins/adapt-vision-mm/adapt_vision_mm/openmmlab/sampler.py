"""The order of training examples, as a function of seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Shuffles by seed and epoch, splits among processes, and can start in the middle of an epoch.

    It yields `epoch * length + index`, so that a dataset in any worker knows the epoch.

    Args:
        length: of the dataset.
        seed: SEED.
        rank, world_size: this process among those of the run.
    """

    def __init__(self, length: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self._length, self._seed = length, seed
        self._rank, self._world_size = rank, world_size
        self._epoch = 0
        self._skipped = 0

    def start(self, epoch: int, skipped: int = 0) -> None:
        """Set the epoch, and how many of this process's examples are skipped at its start."""
        self._epoch, self._skipped = epoch, skipped

    def __iter__(self) -> Iterator[int]:
        order = numpy.random.default_rng([self._seed, self._epoch]).permutation(self._length).tolist()
        order += order[: -len(order) % self._world_size]
        mine = order[self._rank :: self._world_size][self._skipped :]
        return iter([self._epoch * self._length + index for index in mine])

    def __len__(self) -> int:
        """Return the examples of a whole epoch, for this process."""
        return -(-self._length // self._world_size)
