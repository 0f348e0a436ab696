"""Average precision of any sample of images, from the objects and predictions of each image and how they match.

It is COCO's: predictions of a class in the order of their scores, precision at 101 recalls, the mean over ten
thresholds of overlap and over classes. An image that a sample has several times counts as several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

THRESHOLDS = 10
"""Of overlap: 0.50, 0.55 to 0.95."""

_RECALLS = 101
_AP75 = 5
NOT_COUNTED = "not_counted"
"""Of an object that is neither missed nor found: a crowd, or a body without points."""


@attrs.frozen(eq=False)
class ClassMatches:
    """The predictions of one class, the most certain first, and its objects.

    Attributes:
        images: the position of each prediction's image (predictions,).
        right, wrong: whether it is, for each threshold of overlap (thresholds, predictions); neither where it is on an
            object that does not count.
        objects: of each image, those that count (images,).
    """

    images: NDArray[numpy.intp]
    right: NDArray[numpy.bool_]
    wrong: NDArray[numpy.bool_]
    objects: NDArray[numpy.int_]

    def precisions(self, times: NDArray[numpy.float64], recalls: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
        """Return the average precision at each threshold: (thresholds,); NaN where there is no object.

        Args:
            times: how often each image counts (images,).
            recalls: the recalls at which precision is read.
        """
        import numpy

        objects = float(self.objects @ times)
        if not objects:
            return numpy.full(len(self.right), numpy.nan)
        weights = times[self.images]
        right = (self.right * weights).cumsum(axis=1)
        wrong = (self.wrong * weights).cumsum(axis=1)
        precision = right / (right + wrong + numpy.spacing(1))
        highest = numpy.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        found = numpy.zeros(len(self.right))
        for threshold, (recall, best) in enumerate(zip(right / objects, highest, strict=True)):
            places = numpy.searchsorted(recall, recalls, side="left")
            found[threshold] = best[places[places < len(best)]].sum() / len(recalls)
        return found


def matches_of(
    expected: Sequence[Sequence[Mapping[str, Any]]], predicted: Sequence[Sequence[Mapping[str, Any]]]
) -> list[ClassMatches]:
    """Return the matches of each class that has an object; see `EvaluatedRows` for what an object is.

    Args:
        expected, predicted: the objects of each image.
    """
    import numpy

    counted: dict[str, NDArray[numpy.int_]] = {}
    for image, objects in enumerate(expected):
        for one in objects:
            if not one[NOT_COUNTED]:
                counted.setdefault(one["label"], numpy.zeros(len(expected), dtype=int))[image] += 1
    held: dict[str, list[tuple[int, float, int, int]]] = {label: [] for label in counted}
    for image, objects in enumerate(predicted):
        for one in objects:
            if one["label"] in held:
                held[one["label"]].append((image, one["score"], one["right"], one["wrong"]))
    found = []
    for label, objects_of in counted.items():
        images, scores, right, wrong = zip(*held[label], strict=True) if held[label] else ((), (), (), ())
        order = numpy.argsort(-numpy.array(scores, dtype=float), kind="stable")
        hits, misses = (_bits(numpy.array(each, dtype=int)[order]) for each in (right, wrong))
        found.append(ClassMatches(numpy.array(images, dtype=numpy.intp)[order], hits, misses, objects_of))
    return found


def _bits(numbers: NDArray[numpy.int_]) -> NDArray[numpy.bool_]:
    """Return the bits of numbers, the lowest first: (THRESHOLDS, numbers)."""
    import numpy

    bits: NDArray[numpy.bool_] = (numbers >> numpy.arange(THRESHOLDS)[:, None] & 1).astype(bool)
    return bits


def as_number(bits: NDArray[numpy.bool_]) -> NDArray[numpy.int_]:
    """Return numbers whose bits are whether a prediction has reached each threshold.

    Args:
        bits: (THRESHOLDS, predictions), the lowest threshold first.
    """
    import numpy

    numbers: NDArray[numpy.int_] = (1 << numpy.arange(THRESHOLDS)) @ bits.astype(int)
    return numbers


def mean_precisions(classes: Sequence[ClassMatches], times: NDArray[numpy.float64]) -> tuple[float, float, float]:
    """Return the mean average precision, that at an overlap of 0.50, and that at 0.75; 0 without an object.

    Args:
        classes: the matches of each.
        times: how often each image counts (images,).
    """
    import numpy

    recalls = numpy.linspace(0, 1, _RECALLS)
    precisions = numpy.array([each.precisions(times, recalls) for each in classes]).reshape(-1, THRESHOLDS)
    known = precisions[~numpy.isnan(precisions).any(axis=1)]
    if not len(known):
        return 0.0, 0.0, 0.0
    return float(known.mean()), float(known[:, 0].mean()), float(known[:, _AP75].mean())
