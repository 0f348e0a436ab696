"""ROUGE (Lin, 2004) on words of any script, computed by the package rouge_score."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy

from adapt_nlp.metrics.canonical import canonical
from adapt_nlp.metrics.names import ROUGE
from adapt_nlp.metrics.row_scores import Means

if TYPE_CHECKING:
    from rouge_score.tokenizers import Tokenizer

_IDEOGRAPHS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_STEMMED_FROM = 4


def rouge(predictions: Sequence[str], references: Sequence[str], *, use_stemmer: bool = False) -> dict[str, float]:
    """Return the mean F-measures of ROUGE-1, -2, -L and -Lsum, from 0 to 1.

    On ASCII text the words are those of rouge_score's own tokenizer, which drops all other letters; here letters of
    any script count, with the signs on them (vowels of Indic scripts), composed or not. ROUGE-Lsum compares sentence
    by sentence. Lin's ROUGE-1.5.5 reads one sentence a line, and so does rouge_score; here texts are split into such
    lines first, so that their own line breaks do not matter.

    Args:
        predictions: generated texts.
        references: one for each.
        use_stemmer: compare Porter stems (English), as is usual for summaries.
    """
    return rouge_rows(predictions, references, use_stemmer=use_stemmer).scores()


def rouge_rows(
    predictions: Sequence[str],
    references: Sequence[str],
    *,
    use_stemmer: bool = False,
    kinds: Sequence[str] = tuple(ROUGE),
) -> Means:
    """Return the F-measures of each text; see `rouge`. `kinds` are those that are wanted: ROUGE-Lsum takes longest."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(kinds), tokenizer=_words(use_stemmer=use_stemmer))
    scores = [
        scorer.score(split_sentences(reference), split_sentences(prediction))
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    return Means({kind: numpy.array([score[kind].fmeasure for score in scores], dtype=float) for kind in kinds})


def split_sentences(text: str) -> str:
    """Return a text with each sentence on its own line.

    Sentences end behind . ! ? before white space, behind 。！？, and at newlines.

    An abbreviation ("Dr. Smith") counts as an end, alike in both texts. NLTK's splitter, which rouge_score offers as
    `split_summaries`, would need a model from the network.
    """
    return "\n".join(part for part in _SENTENCE_END.split(text) if part.strip())


@cache
def word_pattern() -> re.Pattern[str]:
    """Return the pattern of a word: letters and digits of any script, with the signs on them.

    `\\w` leaves out combining signs, so that it splits Indic words at their vowels. In scripts without spaces (Chinese,
    Japanese) each character is a word.
    """
    signs = "".join(sign for sign in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(sign).startswith("M"))
    return re.compile(rf"[{_IDEOGRAPHS}]|[^\W_{_IDEOGRAPHS}](?:[^\W_{_IDEOGRAPHS}]|[{signs}])*")


def _words(*, use_stemmer: bool) -> Tokenizer:
    from rouge_score.tokenizers import Tokenizer

    if use_stemmer:
        from nltk.stem.porter import PorterStemmer

        stem = PorterStemmer().stem

    class Words(Tokenizer):
        def tokenize(self, text: str) -> list[str]:
            words = word_pattern().findall(canonical(text.lower()))
            return [stem(word) if len(word) >= _STEMMED_FROM else word for word in words] if use_stemmer else words

    return Words()
