"""What of a text counts when texts are compared."""

from __future__ import annotations

import unicodedata
from collections import Counter

LENGTH = 5
"""Characters of a shingle."""

LONGEST = 20_000
"""Characters of a text that are compared as shingles."""


def normal_form(text: str) -> str:
    """Return a text without what does not tell rows apart: NFKC, no upper case, one space for any white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words_of(text: str) -> Counter[str]:
    """Return the words of a text in normal form, without punctuation, each with its number."""
    plain = "".join(sign if sign.isalnum() else " " for sign in text[:LONGEST])
    return Counter(plain.split())


def shingles(text: str) -> set[str]:
    """Return the pieces of a text in normal form by which it is compared: runs of characters, and whole words.

    A moved word leaves the words as they are, a changed letter most of the runs.
    """
    words = "".join(sign if sign.isalnum() else " " for sign in text[:LONGEST]).split()
    plain = " ".join(words)
    runs = {plain[start : start + LENGTH] for start in range(max(1, len(plain) - LENGTH + 1))}
    return runs | {f" {word} " for word in words}
