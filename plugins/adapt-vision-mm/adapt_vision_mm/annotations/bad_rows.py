"""The rows of an annotation file that cannot be used: an error that names the first ones, or counts."""

from __future__ import annotations

from collections import Counter

from adapt_core.errors import DataError

_SHOWN = 5


class BadRows:
    """Collects the defects of one file.

    Args:
        source: the file, for messages.
        skip: SKIP_BAD_ROWS: drop and count bad rows instead of raising an error.
    """

    def __init__(self, source: str, *, skip: bool) -> None:
        self._source = source
        self._skip = skip
        self._defects: list[str] = []
        self._dropped: Counter[str] = Counter()

    def add(self, reason: str, row: str) -> None:
        """Record a defect.

        Args:
            reason: the defect; defects are counted by it.
            row: what has it ("annotation 17", "image 3 (a.jpg)").
        """
        self._dropped[reason] += 1
        if len(self._defects) < _SHOWN:
            self._defects.append(f"{row}: {reason}")

    def counts(self) -> dict[str, int]:
        """Return how many rows were dropped for each reason.

        Raises:
            DataError: there are bad rows, and SKIP_BAD_ROWS is off.
        """
        if self._dropped and not self._skip:
            count = self._dropped.total()
            lines = [f"{self._source}: {count} row{'s' if count > 1 else ''} cannot be used.", *self._defects]
            if count > len(self._defects):
                lines.append(f"... and {count - len(self._defects)} more")
            raise DataError("\n".join([*lines, "Fix them, or set SKIP_BAD_ROWS: true to drop them."]))
        return dict(self._dropped)
