"""What an evaluation finds of each image: its matches are kept, so that any sample of the images can be measured.

Matches are those of COCO's evaluation (`evaluateImg` of pycocotools), which faster-coco-eval does not hand out: worked
out once from its overlaps, for objects of all sizes. An image that a sample has several times counts as several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs
import numpy

from adapt_core.evaluated_rows import EvaluatedRows

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import evaluate
from adapt_vision_mm.annotations.metric_names import METRICS, Kind

if TYPE_CHECKING:
    from faster_coco_eval import COCOeval_faster
    from numpy.typing import NDArray

_AP75 = 5
_LOOKUPS = 20.0
"""What a detection of an image takes in a measurement, over all thresholds, where 1 is to look up a few numbers."""


@attrs.frozen(eq=False)
class ClassMatches:
    """The detections of one class, the most certain first, and its objects.

    Attributes:
        images: the position of each detection's image (detections,).
        right, wrong: whether it is, for each threshold of overlap (thresholds, detections); neither where it is on a
            crowd.
        objects: of each image, without crowds (images,).
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


def image_rows(split: AnnotatedSplit, results: Sequence[CocoResult], kind: Kind) -> EvaluatedRows:
    """Return what was found of each image; matches are worked out when a sample is measured.

    Args:
        split: the ground truth.
        results: predictions.
        kind: what is compared.
    """
    count = len(split.images)
    names = list(METRICS[kind])

    @cache
    def matched() -> tuple[list[ClassMatches], NDArray[numpy.float64]]:
        evaluation = evaluate(split, results, kind)
        if evaluation is None:
            return [], numpy.zeros(0)
        position_of = {image.id: position for position, image in enumerate(split.images)}
        return _classes(evaluation, position_of), numpy.asarray(evaluation.params.recThrs)

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        classes, recalls = matched()
        times = numpy.bincount(sample, minlength=count).astype(numpy.float64)
        precisions = numpy.array([each.precisions(times, recalls) for each in classes])
        known = precisions[~numpy.isnan(precisions).any(axis=1)] if len(precisions) else precisions
        if not len(known):
            return dict.fromkeys(names, 0.0)
        values = known.mean(), known[:, 0].mean(), known[:, _AP75].mean()
        return dict(zip(names, map(float, values), strict=True))

    detections = len(results) + 100 * len(split.categories)
    return EvaluatedRows(
        kind="objects",
        rows=range(count),
        expected=[None] * count,
        predicted=[None] * count,
        labels=split.names,
        cost=max(1.0, _LOOKUPS * detections / max(1, count)),
        measure=measure,
    )


def _classes(evaluation: COCOeval_faster, position_of: Mapping[int, int]) -> list[ClassMatches]:
    thresholds = numpy.minimum(evaluation.params.iouThrs, 1 - 1e-10)
    most = evaluation.params.maxDets[-1]
    found = []
    for category in evaluation.params.catIds:
        objects = numpy.zeros(len(position_of), dtype=int)
        scores, images, right, wrong = [], [], [], []
        for image in evaluation.params.imgIds:
            truth, detected = (held.get(image, category) for held in (evaluation.gt_dataset, evaluation.dt_dataset))
            ignored = numpy.array([bool(one["ignore"]) for one in truth], dtype=bool)
            objects[position_of[int(image)]] = (~ignored).sum()
            if not detected:
                continue
            own = numpy.sort([-one["score"] for one in detected], kind="stable")[:most]
            crowd = numpy.array([bool(one.get("iscrowd", 0)) for one in truth], dtype=bool)
            hits, misses = _matches(evaluation.ious[image, category], len(own), ignored, crowd, thresholds)
            scores.append(own)
            images.append(numpy.full(len(own), position_of[int(image)]))
            right.append(hits)
            wrong.append(misses)
        if not scores:
            nothing = numpy.zeros((len(thresholds), 0), dtype=bool)
            found.append(ClassMatches(numpy.zeros(0, dtype=numpy.intp), nothing, nothing, objects))
            continue
        order = numpy.argsort(numpy.concatenate(scores), kind="stable")
        joined = (numpy.concatenate(right, axis=1)[:, order], numpy.concatenate(wrong, axis=1)[:, order])
        found.append(ClassMatches(numpy.concatenate(images)[order], *joined, objects))
    return found


def _matches(
    overlaps: Any,
    count: int,
    ignored: NDArray[numpy.bool_],
    crowd: NDArray[numpy.bool_],
    thresholds: NDArray[numpy.float64],
) -> tuple[NDArray[numpy.bool_], NDArray[numpy.bool_]]:
    """Return which detections of a class in an image are right and which wrong: (thresholds, detections) each.

    A detection takes the object of the greatest overlap that none has taken before it, the last of equal ones; one that
    does not count (a crowd, which many may take) only where there is no other.

    Args:
        overlaps: (detections, objects), the most certain detection first; empty without either.
        count: of detections.
        ignored: whether each object does not count.
        crowd: whether it is a crowd.
        thresholds: of overlap.
    """
    right = numpy.zeros((len(thresholds), count), dtype=bool)
    aside = numpy.zeros_like(right)
    if not len(ignored) or not len(overlaps):
        return right, ~right
    taken = numpy.zeros((len(thresholds), len(ignored)), dtype=bool)
    every = numpy.arange(len(thresholds))
    for number, overlap in enumerate(numpy.asarray(overlaps)):
        free = (~taken | crowd) & (overlap >= thresholds[:, None])
        done = numpy.zeros(len(thresholds), dtype=bool)
        for group, outcome in ((~ignored, right), (ignored, aside)):
            values = numpy.where(free & group, overlap, -1.0)
            best = values.shape[1] - 1 - values[:, ::-1].argmax(axis=1)
            matched = (values[every, best] >= 0) & ~done
            taken[every[matched], best[matched]] = True
            outcome[matched, number] = True
            done |= matched
    return right, ~right & ~aside
