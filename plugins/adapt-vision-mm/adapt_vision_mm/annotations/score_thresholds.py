"""The least score of a prediction of each class, chosen by F1 on annotated images.

A prediction is right where it overlaps an object of its class by half (IoU 0.50), as COCO's evaluation matches them.
The precision of that evaluation is the best at a recall or beyond it, whose greatest F1 is that of the plain curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy

from adapt_vision_mm.annotations.annotated_split import CocoResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT = 0.3
"""The threshold of a class that no evaluated image has, and of all where nothing was evaluated."""


def best_threshold(
    precision: NDArray[numpy.float64], scores: NDArray[numpy.float64], recall: Sequence[float], every: Sequence[float]
) -> tuple[float, float]:
    """Return the threshold of a class with the best F1, and that F1; DEFAULT and 0 where the class has no object.

    It lies halfway between the score of the last prediction that it keeps and the next.

    Args:
        precision: at each recall, at an IoU of 0.50 (recalls,); -1 where the class has no object.
        scores: of the prediction that reaches each recall (recalls,).
        recall: at which these are (recalls,).
        every: the scores of all predictions of the class.
    """
    reached = numpy.asarray(precision) > 0
    if not reached.any():
        return DEFAULT, 0.0
    levels = numpy.asarray(recall, dtype=numpy.float64)
    f1 = numpy.where(reached, 2 * precision * levels / numpy.maximum(precision + levels, 1e-12), 0.0)
    best = int(f1.argmax())
    least = float(scores[best])
    below = max((score for score in every if score < least - 1e-9), default=0.0)
    return (least + below) / 2, float(f1[best])


def least_score(
    asked: float | None, category_ids: Sequence[int], thresholds: Sequence[float]
) -> Callable[[CocoResult], float]:
    """Return the least score with which a result is shown: what is asked for, or that of its class.

    Args:
        asked: score_threshold.
        category_ids: of the classes.
        thresholds: of the classes; none where nothing was evaluated.
    """
    own = dict(zip(category_ids, thresholds, strict=False))
    return lambda result: own.get(result["category_id"], DEFAULT) if asked is None else asked


def scores_of(results: Sequence[CocoResult]) -> Mapping[int, list[float]]:
    """Return the scores of the predictions of each class, by category id."""
    found: dict[int, list[float]] = {}
    for result in results:
        found.setdefault(result["category_id"], []).append(float(result["score"]))
    return found
