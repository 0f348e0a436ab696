"""What is done about a row that cannot be used: stop with all that is known, or drop and count."""

from __future__ import annotations

from collections import Counter

from adapt_core.errors import DataError

_SHOWN = 5


class BadRows:
    """Collects the faults of one file.

    Args:
        source: the file, for messages.
        skip: SKIP_BAD_ROWS.
    """

    def __init__(self, source: str, skip: bool) -> None:
        self._source = source
        self._skip = skip
        self._faults: list[str] = []
        self.dropped: Counter[str] = Counter()

    def add(self, reason: str, where: str) -> None:
        """Notes a fault: a reason that counts are kept by, and the row ("annotation 17", "image 3 (a.jpg)")."""
        self.dropped[reason] += 1
        if len(self._faults) < _SHOWN:
            self._faults.append(f"{where}: {reason}")

    def settle(self) -> dict[str, int]:
        """The counts of what was dropped.

        Raises:
            DataError: there were faults, and SKIP_BAD_ROWS is off.
        """
        if self.dropped and not self._skip:
            count = self.dropped.total()
            lines = [f"{self._source}: {count} row{'s' if count > 1 else ''} cannot be used.", *self._faults]
            if count > len(self._faults):
                lines.append(f"... and {count - len(self._faults)} more")
            raise DataError("\n".join([*lines, "Mend them, or set SKIP_BAD_ROWS: true to leave them out."]))
        return dict(self.dropped)
