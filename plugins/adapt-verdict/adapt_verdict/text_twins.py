"""Texts that are nearly the same: candidates by MinHash and locality-sensitive hashing, decided by their words.

A. Broder: On the resemblance and containment of documents. SEQUENCES 1997. Of each text the pieces with the lowest
hashes are kept (his sketch of a document), so that memory does not grow with the length of the texts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy

from adapt_core.evaluation import spread

from adapt_verdict.normal_form import LENGTH, plain_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECES = 512
"""Pieces of a text that are kept, those with the lowest hashes: of longer texts likeness is estimated, within 0.02."""

BANDS, ROWS = 21, 3
"""Of the locality-sensitive hashing: texts with half of their pieces in common are candidates with 94 %."""

BUCKET = 100
"""Texts of one bucket that are candidates at most."""

CANDIDATES = 20
"""Texts that are compared with a text at most, those with the most hashes in common."""

ALIKE = 0.72
"""Share of words (each as often as it occurs) or of runs of characters in common, of all that either text has."""

FREQUENT = 0.2
"""Pieces in a larger share of the texts say nothing: those of a template, or of a system prompt."""

COMMON, COMMON_TEXTS = 0.005, 10
"""Pieces in a larger share of the texts, and in more texts than this, may be those of a template that some share."""

OWN = 0.2
"""Share of the pieces that are not common ones that two texts must have in common, if either has any."""

_FEW = 50
"""Up to this many texts every piece counts."""

_COUNTED = 5_000
"""Texts in which pieces are counted."""

_FACTOR = numpy.uint64(0x9E3779B97F4A7C15)
_ALL = numpy.uint64(2**64 - 1)


@attrs.frozen(eq=False)
class Pieces:
    """The hashes of the pieces of a text up to a limit, sorted, each once."""

    hashes: NDArray[numpy.uint64]
    limit: numpy.uint64 = _ALL

    def without(self, others: NDArray[numpy.uint64]) -> Pieces:
        """Return the pieces that are not among others, which are sorted."""
        return Pieces(self.hashes[~_among(self.hashes, others)], self.limit) if len(others) else self


@attrs.frozen(eq=False)
class Sketch:
    """What is kept of a text: its runs of characters and words, and its words, each as often as it occurs."""

    runs: Pieces
    words: Pieces


def sketch(text: str) -> Sketch:
    """Return the sketch of a text in normal form. A moved word leaves its words as they are, a letter most runs."""
    plain = plain_form(text)
    counts = Counter(plain.split())
    number = numpy.fromiter(map(_hash_word, counts), dtype=numpy.uint64, count=len(counts))
    times = numpy.fromiter(counts.values(), dtype=numpy.int64, count=len(counts))
    turn = numpy.arange(times.sum()) - numpy.repeat(numpy.cumsum(times) - times, times)
    words = numpy.repeat(number, times) + turn.astype(numpy.uint64) * _FACTOR
    return Sketch(_lowest(numpy.concatenate([_runs(plain), number])), _lowest(words))


def _hash_word(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest())


def _runs(plain: str) -> NDArray[numpy.uint64]:
    """Return a number for each run of `LENGTH` characters, or for the whole of a shorter text; none of an empty one."""
    signs = numpy.frombuffer(plain.encode("utf-32-le", errors="surrogatepass"), dtype=numpy.uint32)
    length = min(LENGTH, len(signs))
    if not length:
        return numpy.empty(0, dtype=numpy.uint64)
    found = numpy.zeros(len(signs) - length + 1, dtype=numpy.uint64)
    for offset in range(length):
        found = (found + numpy.uint64(1)) * _FACTOR + signs[offset : len(signs) - length + 1 + offset]
    return found


def _lowest(hashes: NDArray[numpy.uint64]) -> Pieces:
    found = numpy.unique(_mixed(hashes))
    return Pieces(found) if len(found) <= PIECES else Pieces(found[:PIECES].copy(), found[PIECES - 1])


def _mixed(values: NDArray[numpy.uint64]) -> NDArray[numpy.uint64]:
    """Return values spread over all of 64 bits: the last steps of SplitMix64."""
    values = (values ^ (values >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return values ^ (values >> numpy.uint64(31))


def _among(hashes: NDArray[numpy.uint64], others: NDArray[numpy.uint64]) -> NDArray[numpy.bool_]:
    """Return which hashes are among others, which are sorted and at least one."""
    found: NDArray[numpy.bool_] = others[numpy.minimum(numpy.searchsorted(others, hashes), len(others) - 1)] == hashes
    return found


def resemblance(one: Pieces, other: Pieces) -> float | None:
    """Return the share of pieces in common of all that either text has; None where neither has any."""
    limit = min(one.limit, other.limit)
    here, there = (side.hashes[: numpy.searchsorted(side.hashes, limit, side="right")] for side in (one, other))
    if not len(here) or not len(there):
        return 0.0 if len(here) or len(there) else None
    shared = int(_among(here, there).sum())
    return shared / (len(here) + len(there) - shared)


class TextTwins:
    """Texts among which those that are nearly the same as another are found."""

    def __init__(self, known: Sequence[Sketch]) -> None:
        """Count the pieces of the texts, and put the texts into buckets.

        Args:
            known: sketches of the texts.
        """
        self._known = known
        self._frequent, self._common = _counted(known)
        chance = numpy.random.default_rng(0)
        self._factors = chance.integers(0, 2**63, BANDS * ROWS, dtype=numpy.uint64) * numpy.uint64(2) + numpy.uint64(1)
        self._terms = chance.integers(0, 2**63, BANDS * ROWS, dtype=numpy.uint64)
        self._signatures = numpy.stack([self._signature(one.runs.without(self._frequent)) for one in known])
        kept = numpy.array([len(one.runs.without(self._frequent).hashes) > 0 for one in known])
        keys = _band_keys(self._signatures[kept]).ravel()
        order = numpy.argsort(keys, kind="stable")
        self._keys, self._numbers = keys[order], numpy.repeat(numpy.flatnonzero(kept), BANDS)[order]

    def nearest(self, asked: Sketch) -> tuple[int, float] | None:
        """Return the number of the text that is most like another, and its likeness; None where none is nearly it."""
        runs = asked.runs.without(self._frequent)
        if not len(runs.hashes):
            return None
        found = []
        for number in self._candidates(self._signature(runs)):
            other = self._known[number]
            likeness = max(
                resemblance(asked.words, other.words) or 0.0,
                resemblance(runs, other.runs.without(self._frequent)) or 0.0,
            )
            if likeness >= ALIKE and not self._is_of_one_template(asked, other):
                found.append((int(number), likeness))
        return max(found, key=lambda pair: (pair[1], -pair[0]), default=None)

    def _is_of_one_template(self, one: Sketch, other: Sketch) -> bool:
        own = resemblance(one.runs.without(self._common), other.runs.without(self._common))
        return own is not None and own < OWN

    def _candidates(self, signature: NDArray[numpy.uint32]) -> NDArray[numpy.int64]:
        keys = _band_keys(signature[None]).ravel()
        starts, ends = (numpy.searchsorted(self._keys, keys, side=side) for side in ("left", "right"))
        ends = numpy.minimum(ends, starts + BUCKET)
        buckets = [self._numbers[start:end] for start, end in zip(starts, ends, strict=True) if end > start]
        if not buckets:
            return numpy.empty(0, dtype=numpy.int64)
        found = numpy.unique(numpy.concatenate(buckets))
        alike = (self._signatures[found] == signature).sum(axis=1)
        return found[numpy.argsort(-alike, kind="stable")[:CANDIDATES]]

    def _signature(self, pieces: Pieces) -> NDArray[numpy.uint32]:
        """Return the MinHash of pieces: for each permutation the least of their hashes."""
        if not len(pieces.hashes):
            return numpy.zeros(BANDS * ROWS, dtype=numpy.uint32)
        permuted = pieces.hashes * self._factors[:, None] + self._terms[:, None]
        signature: NDArray[numpy.uint32] = (permuted.min(axis=1) >> numpy.uint64(32)).astype(numpy.uint32)
        return signature


def _band_keys(signatures: NDArray[numpy.uint32]) -> NDArray[numpy.uint64]:
    """Return the key (texts, bands) of the bucket that each text is in, another one in each band."""
    parts = signatures.reshape(-1, BANDS, ROWS).astype(numpy.uint64)
    keys = numpy.arange(BANDS, dtype=numpy.uint64)[None].repeat(len(parts), axis=0)
    for row in range(ROWS):
        keys = _mixed(keys * _FACTOR + parts[:, :, row])
    return keys


def _counted(known: Sequence[Sketch]) -> tuple[NDArray[numpy.uint64], NDArray[numpy.uint64]]:
    """Return the frequent and the common pieces of texts, sorted; a text that is there twice counts once."""
    distinct = list({one.runs.hashes.tobytes(): one.runs.hashes for one in known}.values())
    if len(distinct) <= _FEW:
        none = numpy.empty(0, dtype=numpy.uint64)
        return none, none
    sample = [distinct[row] for row in spread(len(distinct), _COUNTED)]
    hashes, counts = numpy.unique(numpy.concatenate(sample), return_counts=True)
    common = max(COMMON_TEXTS, COMMON * len(sample))
    return hashes[counts > FREQUENT * len(sample)], hashes[counts > common]
