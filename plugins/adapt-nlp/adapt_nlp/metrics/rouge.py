"""ROUGE (Lin, 2004) by the package rouge_score, on words of any script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean
from typing import Any

KINDS = ("rouge1", "rouge2", "rougeL", "rougeLsum")

# Letters and digits of any script; where no spaces are written (Chinese, Japanese), each character is a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_STEMMED_FROM = 4


def rouge(predictions: Sequence[str], references: Sequence[str], use_stemmer: bool = False) -> dict[str, float]:
    """Mean F-measures of ROUGE-1, -2, -L and -Lsum, from 0 to 1.

    On ASCII text the words are those of rouge_score's own tokenizer, which drops every other letter; here letters of
    any script count. For rougeLsum each sentence stands on a line, as that package asks.

    Args:
        predictions: generated texts.
        references: one for each.
        use_stemmer: compare Porter stems (English), the field's way for summaries.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(KINDS), tokenizer=_words(use_stemmer))
    scores = [
        scorer.score(in_lines(reference), in_lines(prediction))
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    return {kind: fmean(score[kind].fmeasure for score in scores) if scores else 0.0 for kind in KINDS}


def in_lines(text: str) -> str:
    """A text with each sentence on a line of its own."""
    return "\n".join(part for part in _SENTENCE_END.split(text) if part.strip())


def _words(use_stemmer: bool) -> Any:
    from rouge_score.tokenizers import Tokenizer

    if use_stemmer:
        from nltk.stem.porter import PorterStemmer

        stem = PorterStemmer().stem

    class Words(Tokenizer):
        def tokenize(self, text: str) -> list[str]:
            words = _WORD.findall(text.lower())
            return [stem(word) if len(word) >= _STEMMED_FROM else word for word in words] if use_stemmer else words

    return Words()
