"""Keys of turns and columns of rows that nothing reads: a slip in their name has no effect, which must be said."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from adapt_nlp.text_generation.tool_calls import CALLS
from adapt_nlp.text_generation.turns import FROM, LEARNED

_READ = ("role", "content", FROM, *CALLS, *LEARNED)

log = logging.getLogger(__name__)


class UnreadKeys:
    """Counts the keys of turns that neither adapt nor the chat template reads.

    Args:
        template: the source of the chat template, which reads a key that its text names.
    """

    def __init__(self, template: str) -> None:
        self._read = frozenset({*_READ, *re.findall(r"\w+", template)})
        self._turns: Counter[str] = Counter()

    def count(self, turns: Sequence[Mapping[str, object]]) -> None:
        """Count the keys of a good conversation's turns; null is what Parquet has for none."""
        for turn in turns:
            self._turns.update(key for key, value in turn.items() if value is not None and key not in self._read)

    def say(self, split: str) -> None:
        """Warn of the keys that were counted, with the number of turns of each, and forget them."""
        if self._turns:
            found = ", ".join(f"{key!r} ({count} turns)" for key, count in self._turns.most_common())
            log.warning("%s split: neither adapt nor the chat template reads these keys of turns: %s", split, found)
        self._turns.clear()


def say_unread_columns(split: str, columns: Sequence[str], read: Collection[str], rows: int) -> None:
    """Log which columns of a split are not read."""
    unread = [name for name in columns if name not in read]
    if unread:
        log.info("%s split: columns that are not read, of %d rows: %s", split, rows, ", ".join(map(repr, unread)))
