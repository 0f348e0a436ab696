"""What stands between several labels in one text, where no key says it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from adapt_core.errors import DataError

SEPARATORS = ("|", ";", ",")

log = logging.getLogger(__name__)


def find_separator(column: str, values: Sequence[object]) -> str | None:
    """Return the one of SEPARATORS that occurs in labels, or None; warn where few of them have it.

    Raises:
        DataError: two of them occur.
    """
    found: dict[str, str] = {}
    for value in values:
        if isinstance(value, str):
            for separator in SEPARATORS:
                if separator in value:
                    found.setdefault(separator, value)
    if len(found) > 1:
        shown = " and ".join(f"{separator!r} (in {example[:60]!r})" for separator, example in found.items())
        raise DataError(
            f"column {column!r}: what parts the labels is not clear: {shown} occur in them. Set label_separator to "
            "the one that does."
        )
    if not found:
        return None
    separator = next(iter(found))
    texts = {value for value in values if isinstance(value, str) and value.strip()}
    parted = [text for text in texts if separator in text]
    if 3 * len(parted) < len(texts):
        log.warning(
            "column %r: %d of %d different texts have %r, as %r, and are parted there into several labels. If that is "
            "one label, set label_separator to a sign that no label has.",
            column,
            len(parted),
            len(texts),
            separator,
            found[separator][:60],
        )
    return separator
