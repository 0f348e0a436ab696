"""What of a text counts when texts are compared."""

from __future__ import annotations

import re
import unicodedata

LENGTH = 5
"""Characters of a shingle."""

LONGEST = 20_000
"""Characters of a text that are compared as shingles."""


def normal_form(text: str) -> str:
    """Return a text without what does not tell rows apart: NFKC, no upper case, one space for any white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def plain_form(text: str) -> str:
    """Return a text in normal form without punctuation; as it is where it is mostly symbols ("!!!", emoji)."""
    text = text[:LONGEST]
    plain = " ".join(re.sub(r"[\W_]+", " ", text).split())
    letters = len(plain) - plain.count(" ")
    return plain if letters >= max(LENGTH, (len(text) - text.count(" ")) / 2) else text
