"""Metrics of texts from the sums of their rows' counts are sacrebleu's."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from adapt_core.uncertainty.corpus_scores import bleu, chrf, sacrebleu

WORDS = ["a", "the", "dog", "cat", "runs", "sleeps", "over", "under", "hill", "moon", "."]


def texts(seed: int) -> tuple[list[str], list[str]]:
    """Pairs of texts, some empty, of few words: n-grams of some orders are never right."""
    chance = numpy.random.default_rng(seed)
    expected = [" ".join(chance.choice(WORDS, chance.integers(1, 9))) for _ in range(4)]
    predicted = []
    for text in expected:
        words = [word if chance.random() < 0.7 else str(chance.choice(WORDS)) for word in text.split()]
        predicted.append(" ".join(words[: chance.integers(0, len(words) + 1)]))
    return predicted, expected


@pytest.mark.parametrize("smoothing", ["exp", "none"])
def test_bleu_is_sacrebleu_s(smoothing: str) -> None:
    package = pytest.importorskip("sacrebleu.metrics.bleu")
    formula = {"exp": sacrebleu, "none": lambda sums: 100 * bleu(sums)}[smoothing]
    seen = set()
    for seed in range(300):
        predicted, expected = texts(seed)
        metric = package.BLEU(effective_order=True)
        each = [metric.sentence_score(*pair) for pair in zip(predicted, [[one] for one in expected], strict=True)]
        counts = numpy.array([[one.sys_len, one.ref_len, *one.counts, *one.totals] for one in each])
        sums = counts.sum(axis=0)
        theirs = package.BLEU.compute_bleu(
            sums[2:6].tolist(), sums[6:].tolist(), int(sums[0]), int(sums[1]), smooth_method=smoothing
        ).score
        assert formula(sums[None].astype(float))[0] == pytest.approx(theirs, abs=1e-9)
        seen.add((theirs == 0, bool((sums[2:6] == 0).any())))
    assert (False, False) in seen
    assert (False, True) in seen or smoothing == "none"


def test_chrf_is_sacrebleu_s() -> None:
    package = pytest.importorskip("sacrebleu.metrics.chrf")
    metric: Any = package.CHRF()
    sums, theirs = [], []
    for seed in range(200):
        predicted, expected = texts(seed)
        counts = numpy.array(metric._extract_corpus_statistics(predicted, [expected]))
        sums.append(counts.sum(axis=0).astype(float))
        theirs.append(metric.corpus_score(predicted, [expected]).score)
    assert chrf(numpy.array(sums)) == pytest.approx(theirs, abs=1e-9)
    assert len(set(theirs)) > 100
