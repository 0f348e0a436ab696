"""The language of a text, by the letters that are frequent in it: charset-normalizer's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

LONGEST = 1_200
"""Characters of a text that are looked at."""

SHORTEST = 300
"""Letters that a text must have. A language is guessed from the order of its frequent letters: of English captions
of 600 characters a quarter counts as Dutch, of other texts a few percent as a neighbour of their language."""

UNKNOWN = "unknown"


def language_of(text: str) -> str:
    """Return the English name of a text's language; `UNKNOWN` where the text is too short, or in none that is known."""
    from charset_normalizer import from_bytes

    text = text[:LONGEST]
    if sum(map(str.isalpha, text)) < SHORTEST:
        return UNKNOWN
    found = from_bytes(text.encode(errors="ignore"), cp_isolation=["utf_8"]).best()
    return UNKNOWN if found is None or found.language == "Unknown" else str(found.language)


def pieces(texts: Iterable[str], shortest: int = 2 * SHORTEST) -> list[str]:
    """Return texts joined until each piece is long enough for its language to be told: short rows come together."""
    found: list[str] = []
    waiting: list[str] = []
    for text in texts:
        waiting.append(" ".join(text.split())[:LONGEST])
        if sum(map(len, waiting)) >= shortest:
            found.append(" ".join(waiting))
            waiting = []
    return found or [" ".join(waiting)]


def language_shares(texts: Sequence[str]) -> dict[str, float]:
    """Return the share of each language among pieces of texts whose language is known; empty where none is."""
    counts = Counter(language_of(piece) for piece in pieces(texts))
    counts.pop(UNKNOWN, None)
    return {name: count / counts.total() for name, count in counts.most_common()}
