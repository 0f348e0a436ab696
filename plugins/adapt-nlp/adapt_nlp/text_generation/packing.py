"""Documents packed into rows of a fixed length, so that little is padded, without one seeing another."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset


def best_fit_decreasing(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Packs whole documents: each, from the longest to the shortest, into the fullest pack that has room for it.

    Of equally full packs the first takes it, so the same lengths give the same packs.

    Args:
        lengths: tokens of each document, at most `capacity` each.
        capacity: tokens of a pack.

    Returns:
        for each pack the numbers of its documents, in their order.
    """
    packs: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda n: (-lengths[n], n)):
        length = int(lengths[number])
        place = bisect_left(rooms, length)
        if place == len(rooms):
            pack, room = len(packs), capacity
            packs.append([])
        else:
            room = rooms[place]
            pack = heappop(by_room[room])
            if not by_room[room]:
                del rooms[place]
        packs[pack].append(number)
        left = room - length
        if left:
            if not by_room[left]:
                insort(rooms, left)
            heappush(by_room[left], pack)
    return [sorted(pack) for pack in packs]


class Packs:
    """A map-style data set of packs: `input_ids`, `labels`, and `position_ids` that start anew with each document.

    Args:
        documents: with `input_ids` and `labels`.
        packs: for each pack the numbers of its documents.
        lengths: tokens of each document.
    """

    def __init__(self, documents: Dataset, packs: Sequence[Sequence[int]], lengths: Sequence[int]) -> None:
        self._documents = documents.select_columns(["input_ids", "labels"])
        self._packs = packs
        self._lengths = lengths

    def __len__(self) -> int:
        return len(self._packs)

    def length(self, number: int) -> int:
        """Tokens of a pack."""
        return sum(self._lengths[document] for document in self._packs[number])

    def __getitem__(self, number: int) -> dict[str, list[int]]:
        rows = self._documents[list(self._packs[number])]
        return {
            "input_ids": [token for ids in rows["input_ids"] for token in ids],
            "labels": [label for labels in rows["labels"] for label in labels],
            "position_ids": [place for ids in rows["input_ids"] for place in range(len(ids))],
        }
