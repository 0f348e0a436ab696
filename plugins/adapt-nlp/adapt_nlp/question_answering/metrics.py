"""Exact match and F1 as the official SQuAD scripts (v1.1 and v2.0) compute them, from 0 to 100."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

METRICS = {"f1": "higher", "exact_match": "higher"}
V2_METRICS = {
    **METRICS,
    "answerable_f1": "higher",
    "answerable_exact_match": "higher",
    "unanswerable_accuracy": "higher",
}

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, with single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(predicted: str, gold: str) -> float:
    """1.0 where both are the same once normalized."""
    return float(normalized(predicted) == normalized(gold))


def overlap_f1(predicted: str, gold: str) -> float:
    """F1 of the bags of normalized words; where one has no words, 1.0 only if the other has none either."""
    found, wanted = normalized(predicted).split(), normalized(gold).split()
    if not found or not wanted:
        return float(found == wanted)
    common = sum((Counter(found) & Counter(wanted)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(found), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def squad_scores(predicted: Sequence[str], gold: Sequence[Sequence[str]], v2: bool) -> dict[str, float]:
    """The mean over questions of the best score against any gold answer.

    Args:
        predicted: an answer for each question, empty for "unanswerable".
        gold: the gold answers of each question; none for an unanswerable one, which only the empty answer meets.
        v2: report answerable and unanswerable questions apart, too.
    """
    answers = [[text for text in texts if normalized(text)] or [""] for texts in gold]
    em = [max(exact(p, g) for g in texts) for p, texts in zip(predicted, answers, strict=True)]
    f1 = [max(overlap_f1(p, g) for g in texts) for p, texts in zip(predicted, answers, strict=True)]
    scores = {"f1": _percent(f1), "exact_match": _percent(em)}
    if v2:
        has = [bool(texts) for texts in gold]
        scores["answerable_f1"] = _percent([s for s, there in zip(f1, has, strict=True) if there])
        scores["answerable_exact_match"] = _percent([s for s, there in zip(em, has, strict=True) if there])
        scores["unanswerable_accuracy"] = _percent([s for s, there in zip(em, has, strict=True) if not there])
    return scores


def _percent(values: Sequence[float]) -> float:
    return 100.0 * sum(values) / len(values) if values else 0.0
