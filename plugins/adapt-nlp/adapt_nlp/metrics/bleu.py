"""BLEU (Papineni et al., 2002), computed by the package sacrebleu (Post, 2018)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy

from adapt_nlp.metrics.canonical import canonical
from adapt_nlp.metrics.row_scores import Bleu

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    return sacrebleu_rows(predictions, references, language).scores()


def sacrebleu_rows(predictions: Sequence[str], references: Sequence[str], language: str | None = None) -> Bleu:
    """Return the n-grams of each text; see `sacrebleu`."""
    return Bleu("sacrebleu", _counts(predictions, references, tokenize=_tokenization(language)), "exp")


def bleu(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return corpus BLEU without smoothing (13a tokenization), from 0 to 1, as the metric `bleu` of evaluate does."""
    return bleu_rows(predictions, references).scores()


def bleu_rows(predictions: Sequence[str], references: Sequence[str]) -> Bleu:
    """Return the n-grams of each text; see `bleu`."""
    return Bleu("bleu", _counts(predictions, references), "none", scale=100.0)


def _counts(predictions: Sequence[str], references: Sequence[str], **options: Any) -> NDArray[numpy.int64]:
    """Return the counts of `Bleu` of texts whose letters are spelled alike, composed or not.

    Where no reference has four tokens, they are of the n-grams that references have: over four, exact texts would score
    0. A prediction's own length never lowers the order, or one right word would score as much as the whole text.
    """
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(effective_order=True, **options)
    rows = []
    for prediction, reference in zip(predictions, references, strict=True):
        found = metric.sentence_score(canonical(prediction), [canonical(reference)])
        rows.append([found.sys_len, found.ref_len, *found.counts, *found.totals])
    highest = metric.max_ngram_order
    counts = numpy.array(rows, dtype=numpy.int64).reshape(len(rows), 2 + 2 * highest)
    longest = int(counts[:, 1].max(initial=0))
    if not 0 < longest < highest:
        return counts
    log.warning("BLEU is over n-grams of 1 to %d tokens: no reference is longer.", longest)
    kept = [0, 1, *range(2, 2 + longest), *range(2 + highest, 2 + highest + longest)]
    return counts[:, kept]


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
