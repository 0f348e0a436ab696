"""The order of training examples, as a function of seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
from torch.utils.data import Sampler

from adapt_core.hf.data.resampling import Shares, with_repeats

from adapt_vision_mm.openmmlab.contracts import FURTHER_VIEW


class EpochSampler(Sampler[int]):
    """Shuffles by seed and epoch, splits among processes, and can start in the middle of an epoch.

    It yields `epoch * length + index`, so that a dataset in any worker knows the epoch.

    Args:
        length: of the dataset.
        seed: SEED.
        rank, world_size: this process among those of the run.
        shares: how often an epoch shows each image, where not each once.
    """

    def __init__(
        self, length: int, seed: int, rank: int = 0, world_size: int = 1, shares: Shares | None = None
    ) -> None:
        self._length, self._seed = length, seed
        self._rank, self._world_size = rank, world_size
        self._shares = shares
        self._epoch = 0
        self._skipped = 0

    def start(self, epoch: int, skipped: int = 0) -> None:
        """Set the epoch, and how many of this process's examples are skipped at its start."""
        self._epoch, self._skipped = epoch, skipped

    def __iter__(self) -> Iterator[int]:
        order = self._order()
        order += order[: -len(order) % self._world_size]
        return iter(order[self._rank :: self._world_size][self._skipped :])

    def _order(self) -> list[int]:
        if self._shares is None:
            images = numpy.random.default_rng([self._seed, self._epoch]).permutation(self._length)
            again = numpy.zeros(self._length, dtype=numpy.int64)
        else:
            images = self._shares.drawn(self._seed, self._epoch)
            again = with_repeats(images)
        found: list[int] = ((self._epoch + again * FURTHER_VIEW) * self._length + images).tolist()
        return found

    def __len__(self) -> int:
        """Return the examples of a whole epoch, for this process."""
        return -(-(self._length if self._shares is None else len(self._shares)) // self._world_size)
