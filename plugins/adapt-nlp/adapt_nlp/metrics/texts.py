"""Metrics of generated texts against one expected text each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from adapt_nlp.metrics.canonical import canonical
from adapt_nlp.metrics.rouge import word_pattern


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
    return fmean(_overlap(_words(found), _words(wanted)) for found, wanted in zip(predicted, expected, strict=True))


def chrf(predicted: Sequence[str], expected: Sequence[str]) -> float:
    """Return chrF2, from 0 to 100, computed by sacrebleu: n-grams of up to 6 characters (Popović, 2015).

    It is that of the whole, n-grams counted together, as sacrebleu reports it.
    """
    from sacrebleu.metrics.chrf import CHRF

    references = [[canonical(text) for text in expected]]
    return float(CHRF().corpus_score([canonical(text) for text in predicted], references).score)


def _plain(text: str) -> str:
    return " ".join(canonical(text).split())


def _words(text: str) -> list[str]:
    return word_pattern().findall(canonical(text.lower()))


def _overlap(found: list[str], wanted: list[str]) -> float:
    if not found or not wanted:
        return float(found == wanted)
    common = sum((Counter(found) & Counter(wanted)).values())
    return 2 * common / (len(found) + len(wanted))
