"""Documents packed into rows of a fixed length, so that little is padded and none is split.

Best-fit packing (Ding et al., 2024: Fewer Truncations Improve Language Modeling).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import ArrayLike, NDArray


def best_fit_decreasing(lengths: ArrayLike, capacity: int) -> NDArray[numpy.int64]:
    """Assign each document, from the longest to the shortest, to the fullest pack with room for it.

    Ties go to the first pack, so the same lengths give the same packs. There may be millions of documents: only the
    pack's number is kept of each.

    Args:
        lengths: tokens of each document, at most `capacity` each.
        capacity: tokens of a pack.

    Returns:
        the number of each document's pack.
    """
    tokens = numpy.asarray(lengths, dtype=numpy.int64)
    pack_of = numpy.empty(len(tokens), dtype=numpy.int64)
    packs = 0
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms: list[int] = []
    for number in numpy.argsort(-tokens, kind="stable"):
        length = int(tokens[number])
        fit = bisect_left(rooms, length)
        if fit == len(rooms):
            pack, room = packs, capacity
            packs += 1
        else:
            room = rooms[fit]
            pack = heappop(by_room[room])
            if not by_room[room]:
                del rooms[fit]
        pack_of[number] = pack
        left = room - length
        if left:
            if not by_room[left]:
                insort(rooms, left)
            heappush(by_room[left], pack)
    return pack_of


class Packs:
    """A map-style data set of packs: `input_ids`, `labels`, and `position_ids` that restart with each document.

    Args:
        documents: with `input_ids` and `labels`.
        pack_of: the number of each document's pack, from 0, without gaps.
        lengths: tokens of each document.

    Attributes:
        lengths: tokens of each pack.
    """

    def __init__(self, documents: Dataset, pack_of: ArrayLike, lengths: ArrayLike) -> None:
        self._documents = documents.select_columns(["input_ids", "labels"])
        packs = numpy.asarray(pack_of, dtype=numpy.int64)
        self._by_pack = numpy.argsort(packs, kind="stable")
        self._ends = numpy.cumsum(numpy.bincount(packs))
        self.lengths: NDArray[numpy.int64] = numpy.bincount(packs, weights=lengths).astype(numpy.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def documents_of(self, numbers: Iterable[int]) -> list[int]:
        """Return the indices of the documents in some packs."""
        return [int(document) for number in numbers for document in self._in_pack(number)]

    def _in_pack(self, number: int) -> NDArray[numpy.int64]:
        start = self._ends[number - 1] if number else 0
        return self._by_pack[start : self._ends[number]]

    def __getitem__(self, number: int) -> dict[str, list[int]]:
        rows = self._documents[self._in_pack(number)]
        return {
            "input_ids": [token for ids in rows["input_ids"] for token in ids],
            "labels": [label for labels in rows["labels"] for label in labels],
            "position_ids": [position for ids in rows["input_ids"] for position in range(len(ids))],
        }
