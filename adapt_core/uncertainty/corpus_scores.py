"""Metrics of a corpus of texts that follow from sums of counts over its rows, which are kept with each row.

Their values are sacrebleu's (Post, 2018), whose functions take one corpus at a time; here they take many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Sums: TypeAlias = NDArray[numpy.float64]

_BETA = 2.0
"""What recall weighs over precision in chrF2."""


def bleu(sums: Sums) -> Sums:
    """Return BLEU (Papineni et al., 2002) without smoothing, 0 to 1.

    Args:
        sums: (corpora, 2 + 2 n): tokens of predictions and of references, then by order the n-grams of predictions that
            references have, and all n-grams of predictions.
    """
    return _bleu(sums, smoothed=False) / 100


def sacrebleu(sums: Sums) -> Sums:
    """Return BLEU with exponential smoothing, 0 to 100; see `bleu`."""
    return _bleu(sums, smoothed=True)


def _bleu(sums: Sums, *, smoothed: bool) -> Sums:
    import numpy

    order = (sums.shape[1] - 2) // 2
    own, wanted, right, every = sums[:, 0], sums[:, 1], sums[:, 2 : 2 + order], sums[:, 2 + order :]
    counts = numpy.where(every > 0, every, 1)
    shares = right / counts
    if smoothed:
        # The first order without a hit counts as a half of one, the next as a quarter (Chen and Cherry, 2014).
        none = (right == 0) & (every > 0)
        shares = numpy.where(none, 1 / (2.0 ** none.cumsum(axis=1) * counts), shares)
    known = (shares > 0).all(axis=1) & (every > 0).all(axis=1) & (right > 0).any(axis=1)
    with numpy.errstate(divide="ignore"):
        means = numpy.exp(numpy.log(shares).mean(axis=1))
    short = numpy.where(own < wanted, numpy.exp(1 - wanted / numpy.where(own > 0, own, 1)), 1.0)
    found: Sums = numpy.where(known, 100 * short * means, 0.0)
    return found


def chrf(sums: Sums) -> Sums:
    """Return chrF2 (Popović, 2015), 0 to 100.

    Args:
        sums: (corpora, 3 n): for each order the n-grams of predictions, of references, and of both.
    """
    import numpy

    predicted, expected, both = (sums[:, first::3] for first in range(3))
    counts = (predicted > 0) & (expected > 0)
    orders = numpy.maximum(counts.sum(axis=1), 1)
    precision, recall = (
        numpy.where(counts, both / numpy.where(under > 0, under, 1), 0).sum(axis=1) / orders
        for under in (predicted, expected)
    )
    weighted = _BETA**2 * precision + recall
    scores: Sums = 100 * (1 + _BETA**2) * precision * recall / numpy.where(weighted > 0, weighted, 1)
    return scores


FORMULAS: Mapping[str, Callable[[Sums], Sums]] = {"bleu": bleu, "sacrebleu": sacrebleu, "chrf": chrf}
"""Metric -> its values of corpora, of the sums of their counts (corpora, counts)."""
