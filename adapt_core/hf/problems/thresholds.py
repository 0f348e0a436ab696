"""The least score with which a label is given to a row, chosen for each label by its F1 on evaluated rows.

The F1 of one label does not depend on the thresholds of others, so the best macro-F1 has the best threshold of each
(Lipton et al., 2014: Optimal thresholding of classifiers to maximize F1 measure).
"""

from __future__ import annotations

import numpy
from numpy.typing import NDArray

Scores = NDArray[numpy.float64]

DEFAULT = 0.5
"""The threshold of a label that no evaluated row has, and of all where nothing was evaluated."""


def best_thresholds(scores: Scores, truth: Scores) -> list[float]:
    """Return the threshold of each label with the best F1; of several as good, the one closest to 0.5.

    A threshold lies halfway between two scores that occur next to one another, or between the least one and 0.

    Args:
        scores: probabilities (rows, labels).
        truth: 1 where a row has a label, else 0 (rows, labels).
    """
    return [_best(own, has) for own, has in zip(scores.T, truth.T, strict=True)]


def _best(scores: Scores, truth: Scores) -> float:
    positives = truth.sum()
    if not positives:
        return DEFAULT
    order = numpy.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = numpy.append(numpy.flatnonzero(numpy.diff(ordered)), len(ordered) - 1)  # the last row of each score
    right = truth[order].cumsum()[ends]
    f1 = 2 * right / (ends + 1 + positives)
    below = numpy.append(ordered[ends[:-1] + 1], 0.0)
    middles = (ordered[ends] + below) / 2
    best = numpy.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middles[best[numpy.abs(middles[best] - DEFAULT).argmin()]])
