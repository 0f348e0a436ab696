"""Batches of like length in several processes, cut from the order that one process would draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import distributed
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import LengthGroupedSampler


class OneOrder(Sampler[int]):
    """What rank 0 draws of a sampler, on every rank.

    transformers draws the order of rows from the random state of each process. Dropout moves those states apart (rows
    of other lengths take other numbers of draws), and from then on some rows would be seen twice and others never.

    Args:
        drawn: the sampler, of which every process has its own.
    """

    def __init__(self, drawn: LengthGroupedSampler) -> None:
        self._drawn = drawn

    def __len__(self) -> int:
        return len(self._drawn)

    def __iter__(self) -> Iterator[int]:
        order: list[Any] = [list(self._drawn)]
        distributed.broadcast_object_list(order, src=0)
        return iter(order[0])


def over_all_ranks(sampler: Any, processes: int) -> Any:
    """A training sampler that groups the rows of a global batch; any other sampler as it is."""
    if processes <= 1 or not isinstance(sampler, LengthGroupedSampler):
        return sampler
    sampler.batch_size *= processes
    return OneOrder(sampler)
