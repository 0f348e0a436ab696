"""Texts that are nearly the same: candidates by MinHash and locality-sensitive hashing, decided by their words.

A. Broder: On the resemblance and containment of documents. SEQUENCES 1997. Permutations and bands are those of
datasketch (`MinHash`, `MinHashLSH`).
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

from adapt_verdict.normal_form import shingles, words_of

BANDS, ROWS = 21, 3
"""Of the locality-sensitive hashing: texts with half of their shingles in common are candidates with 94 %."""

ALIKE = 0.72
"""Share of words (each as often as it occurs) or of runs of characters in common, of all that either text has."""

FREQUENT = 0.2
"""Shingles in a larger share of the texts say nothing: those of a template, or of a system prompt."""

_FEW = 50
"""Up to this many texts every shingle counts."""


def near_twins(known: Sequence[str], others: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Yield (number among `others`, number among `known`, likeness) of the nearest text of each that has one.

    Args:
        known: texts in normal form.
        others: texts in normal form.
    """
    from datasketch import MinHash, MinHashLSH

    frequent = _frequent(known)
    kept = [shingles(text) - frequent for text in known]
    asked = [shingles(text) - frequent for text in others]
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    options = {"num_perm": BANDS * ROWS, "hashfunc": zlib.crc32}
    hashes = MinHash.bulk([[piece.encode() for piece in pieces] for pieces in kept], **options)
    with index.insertion_session() as session:
        for number, (pieces, found) in enumerate(zip(kept, hashes, strict=True)):
            if pieces:
                session.insert(number, found)
    counted: dict[int, Counter[str]] = {}
    questions = MinHash.bulk([[piece.encode() for piece in pieces] for pieces in asked], **options)
    for number, (pieces, question) in enumerate(zip(asked, questions, strict=True)):
        words = words_of(others[number])
        best = (0.0, -1)
        for candidate in index.query(question) if pieces else ():
            if candidate not in counted:
                counted[candidate] = words_of(known[candidate])
            likeness = max(_share(words, counted[candidate]), _common(pieces, kept[candidate]))
            best = max(best, (likeness, candidate))
        if best[0] >= ALIKE:
            yield number, best[1], best[0]


def _frequent(texts: Sequence[str]) -> set[str]:
    if len(texts) <= _FEW:
        return set()
    counts = Counter(piece for text in texts for piece in shingles(text))
    return {piece for piece, count in counts.items() if count > FREQUENT * len(texts)}


def _share(one: Counter[str], other: Counter[str]) -> float:
    every = (one | other).total()
    return (one & other).total() / every if every else 0.0


def _common(one: set[str], other: set[str]) -> float:
    every = len(one | other)
    return len(one & other) / every if every else 0.0
