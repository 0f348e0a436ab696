"""Machines at a store: the numbers that they claim, their signs of life, and that they have left."""

from __future__ import annotations

import time

from torch.distributed import Store  # type: ignore[attr-defined]

PAUSE = 0.5
"""Seconds between two signs of life, and between two tries to reach machine 0."""
SILENT = 5.0
"""Seconds without a sign of life after which a machine without processes in the run counts as gone."""


class Signs:
    """Signs of life of machines, in a store.

    Args:
        store: the store.
        number: the machine that gives them here.

    Attributes:
        store: the store.
    """

    def __init__(self, store: Store, number: int) -> None:
        self.store, self._number = store, number
        self._given = -PAUSE
        self._seen: dict[int, tuple[int, float]] = {}
        self._moved: set[int] = set()

    def give(self) -> None:
        """Give one, if it is time for it."""
        now = time.monotonic()
        if now - self._given >= PAUSE:
            self.store.add(sign_of(self._number), 1)
            self._given = now

    def silence(self, number: int) -> float:
        """Return the seconds since a machine's last new sign, as seen from here: since the first look without one."""
        now, count = time.monotonic(), self.store.add(sign_of(number), 0)
        known = self._seen.get(number)
        if known is None or known[0] != count:
            self._seen[number] = (count, now)
            if known is not None:
                self._moved.add(number)
        return now - self._seen[number][1]

    def is_alive(self, number: int) -> bool:
        """Whether a machine has given a sign since the first look here, and not long ago."""
        return self.silence(number) < SILENT and number in self._moved


def is_claimed(store: Store, number: int) -> bool:
    """Return whether a machine, there or gone, has claimed a number."""
    return bool(store.check([claim_of(number)]))


def claim_of(number: int) -> str:
    """Return the key of what a machine claimed its number with."""
    return f"machine {number}"


def left_by(number: int) -> str:
    """Return the key that a machine sets when it leaves."""
    return f"machine {number} has left"


def sign_of(number: int) -> str:
    """Return the key where a machine counts its signs of life."""
    return f"signs of machine {number}"
