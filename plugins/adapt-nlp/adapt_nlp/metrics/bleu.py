"""BLEU (Papineni et al., 2002), computed by the package sacrebleu (Post, 2018)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from adapt_nlp.metrics.canonical import canonical

_BY_CHARACTER = {"ja": "ja-mecab", "ko": "ko-mecab"}
_MECAB = {"ja": "MeCab", "ko": "mecab_ko"}

log = logging.getLogger(__name__)


def sacrebleu(predictions: Sequence[str], references: Sequence[str], language: str | None = None) -> dict[str, float]:
    """Return corpus BLEU as WMT reports it (13a tokenization, exponential smoothing), from 0 to 100.

    Args:
        predictions: generated texts.
        references: one for each.
        language: of the texts. It selects sacrebleu's tokenization: `zh` for Chinese; for Japanese and Korean that of
            MeCab where it is installed, otherwise by characters.
    """
    return {"sacrebleu": _corpus_score(predictions, references, tokenize=_tokenization(language))}


def bleu(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return corpus BLEU without smoothing (13a tokenization), from 0 to 1, as the metric `bleu` of evaluate does."""
    return {"bleu": _corpus_score(predictions, references, smooth_method="none") / 100.0}


def _corpus_score(predictions: Sequence[str], references: Sequence[str], **options: Any) -> float:
    """Return BLEU from 0 to 100 of texts whose letters are spelled alike, composed or not.

    Where no reference has four tokens, it is over the n-grams that references have: over four, exact texts would score
    0. A prediction's own length never lowers the order, or one right word would score as much as the whole text.
    """
    from sacrebleu.metrics.bleu import BLEU

    expected = [canonical(text) for text in references]
    metric = BLEU(**options)
    of_references = metric.corpus_score(expected, [expected]).totals if expected else []
    orders = sum(total > 0 for total in of_references)
    if 0 < orders < len(of_references):
        log.warning("BLEU is over n-grams of 1 to %d tokens: no reference is longer.", orders)
        metric = BLEU(max_ngram_order=orders, **options)
    return float(metric.corpus_score([canonical(text) for text in predictions], [expected]).score)


def _tokenization(language: str | None) -> str:
    short = (language or "").replace("-", "_").casefold().split("_")[0]
    if short in ("zh", "zho", "yue"):
        return "zh"
    short = {"jpn": "ja", "kor": "ko"}.get(short, short)
    if short not in _MECAB:
        return "13a"
    if find_spec(_MECAB[short]) is not None:
        return _BY_CHARACTER[short]
    log.info("sacrebleu splits %s by characters: the package %s is not installed.", short, _MECAB[short])
    return "char"
