"""One spelling of texts that read alike, for metrics that compare them."""

from __future__ import annotations

import unicodedata

_JOINERS = dict.fromkeys(map(ord, "\u00ad\u200c\u200d\u2060\ufeff"))
"""Soft hyphen, zero width non-joiner, joiner and no-break spaces: they shape or break a line and are no letters."""


def canonical(text: str) -> str:
    """Return a text in Unicode's form NFC (UAX #15), where \"e\" with an accent is one letter, without joiners."""
    return unicodedata.normalize("NFC", text.translate(_JOINERS))
