"""Metrics of generated texts against one expected text each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from adapt_nlp.metrics.canonical import canonical
from adapt_nlp.metrics.rouge import word_pattern

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


def exact_match(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return the share of texts that are the expected ones, but for white space and the spelling of letters.

    Case and punctuation count: an answer that a program reads is right or it is not.
    """
    return fmean(_plain(found) == _plain(wanted) for found, wanted in zip(predicted, expected, strict=True))


def token_f1(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return the mean F1 of the bags of words, in lower case, as SQuAD's F1 but for articles (Rajpurkar et al., 2016).

    Words are those of ROUGE here: letters and digits of any script, a character each in Chinese and Japanese. Where a
    text has no words, it is 1 if the other has none either.
    """
    return fmean(overlap_f1(_words(found), _words(wanted)) for found, wanted in zip(predicted, expected, strict=True))


def chrf(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return chrF2, from 0 to 100, computed by sacrebleu: n-grams of up to 6 characters (Popović, 2015).

    It is that of the whole, n-grams counted together, as sacrebleu reports it.
    """
    from sacrebleu.metrics.chrf import CHRF

    references = [[canonical(text) for text in expected]]
    return float(CHRF().corpus_score([canonical(text) for text in predicted], references).score)


def chrf_counts(predicted: Sequence[str], expected: Sequence[str]) -> NDArray[numpy.int64]:
    """Return the n-grams of each text, by order: of the predicted one, of the expected one, of both (rows, 3 orders).

    They are what sacrebleu adds up for a corpus; for its own bootstrap it does the same.
    """
    import numpy
    from sacrebleu.metrics.chrf import CHRF

    metric: Any = CHRF()
    references = [[canonical(text) for text in expected]]
    counts = metric._extract_corpus_statistics([canonical(text) for text in predicted], references)
    return numpy.array(counts, dtype=numpy.int64)


def _plain(text: str) -> str:
    return " ".join(canonical(text).split())


def _words(text: str) -> list[str]:
    return word_pattern().findall(canonical(text.lower()))


def overlap_f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Return the F1 of two bags of words. Where a bag is empty: 1.0 if both are, else 0.0."""
    if not found or not wanted:
        return float(not found and not wanted)
    common = sum((Counter(found) & Counter(wanted)).values())
    return 2 * common / (len(found) + len(wanted))
