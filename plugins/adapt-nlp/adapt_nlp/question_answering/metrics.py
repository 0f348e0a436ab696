"""Exact match and F1 of answers, as the official SQuAD scripts compute them, from 0 to 100.

Rajpurkar et al., 2016 (v1.1) and 2018 (v2.0).
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from adapt_nlp.metrics.canonical import canonical
from adapt_nlp.metrics.texts import overlap_f1

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """Return a text in lower case, without ASCII punctuation and English articles, with single spaces.

    Letters are composed, which the official scripts leave to the data.
    """
    return " ".join(_ARTICLES.sub(" ", canonical(text).lower().translate(_PUNCTUATION)).split())


def exact_match(predicted: str, gold: str) -> float:
    """Return 1.0 where both texts are the same once normalized, else 0.0."""
    return float(normalize(predicted) == normalize(gold))


def squad_scores(predicted: Sequence[str], gold: Sequence[Sequence[str]], *, v2: bool) -> dict[str, float]:
    """Return the means over questions of the best score against any gold answer.

    Args:
        predicted: an answer for each question, empty for "unanswerable".
        gold: the gold answers of each question; an unanswerable one has none, and only the empty answer matches it.
        v2: report answerable and unanswerable questions separately, too.
    """
    em, f1 = question_scores(predicted, gold)
    scores = {"f1": _percent(f1), "exact_match": _percent(em)}
    if v2:
        answerable = [bool(texts) for texts in gold]
        scores["answerable_f1"] = _percent([s for s, has in zip(f1, answerable, strict=True) if has])
        scores["answerable_exact_match"] = _percent([s for s, has in zip(em, answerable, strict=True) if has])
        scores["unanswerable_accuracy"] = _percent([s for s, has in zip(em, answerable, strict=True) if not has])
    return scores


def squad(predicted: Sequence[str], expected: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return exact match and F1, see `squad_scores`; the metric of that name in METRICS."""
    return squad_scores(predicted, expected, v2=False)


def question_scores(predicted: Sequence[str], gold: Sequence[Sequence[str]]) -> tuple[list[float], list[float]]:
    """Return the exact match and the F1 of each question, 0 to 1, the best of its gold answers; see `squad_scores`."""
    answers = [[text for text in texts if normalize(text)] or [""] for texts in gold]
    em = [max(exact_match(p, g) for g in texts) for p, texts in zip(predicted, answers, strict=True)]
    words = [normalize(text).split() for text in predicted]
    f1 = [max(overlap_f1(p, normalize(g).split()) for g in texts) for p, texts in zip(words, answers, strict=True)]
    return em, f1


def _percent(values: Sequence[float]) -> float:
    return 100.0 * sum(values) / len(values) if values else 0.0
