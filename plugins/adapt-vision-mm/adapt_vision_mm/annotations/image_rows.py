"""What an evaluation finds of each image: its objects, what was predicted, and how they match.

Matches are those of COCO's evaluation (`evaluateImg` of pycocotools), which faster-coco-eval does not hand out: worked
out once from its overlaps, for objects of all sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.uncertainty.matched_objects import NOT_COUNTED, ClassMatches, as_number, matches_of, mean_precisions

from adapt_vision_mm.annotations.annotated_split import Annotation, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.metric_names import METRICS
from adapt_vision_mm.annotations.score_thresholds import DEFAULT

if TYPE_CHECKING:
    from faster_coco_eval import COCOeval_faster
    from numpy.typing import NDArray

_LOOKUPS = 20.0
"""What a detection of an image takes in a measurement, over all thresholds, where 1 is to look up a few numbers."""

Object = Mapping[str, Any]
"""An object of an image, see `EvaluatedRows`; of poses with "keypoints"."""


def image_rows(evaluation: CocoEvaluation, least: Mapping[str, float]) -> EvaluatedRows:
    """Return what was found of each image, in the order of the split.

    An image is right where all that reaches the least score of its class is on an object of its own (at an overlap of
    0.50), and no object is missed.

    Args:
        evaluation: of boxes, masks or keypoints.
        least: the least score of a prediction that is told, by class; DEFAULT of others.
    """
    images = _Images(evaluation)
    count = len(images.expected)
    judged = [_judged(*pair, least) for pair in zip(images.expected, images.predicted, strict=True)]
    names = tuple(METRICS[evaluation.kind])

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        times = numpy.bincount(sample, minlength=count).astype(numpy.float64)
        return dict(zip(names, mean_precisions(images.matches, times), strict=True))

    detections = sum(map(len, images.predicted)) + 100 * len(evaluation.split.categories)
    return EvaluatedRows(
        kind="objects",
        rows=range(count),
        expected=images.expected,
        predicted=images.predicted,
        confidence=[confidence for _, confidence in judged],
        right=[right for right, _ in judged],
        labels=evaluation.split.names,
        averaged=names,
        details=images.results,
        cost=max(1.0, _LOOKUPS * detections / max(1, count)),
        measure=measure,
    )


def measured_alone(rows: EvaluatedRows) -> EvaluatedRows:
    """Return rows that are measured and neither kept nor shown: those of boxes beside those of masks."""
    nothing = [None] * len(rows)
    return EvaluatedRows(
        kind="objects", rows=rows.rows, expected=nothing, predicted=nothing, cost=rows.cost, measure=rows.measure
    )


def _judged(expected: Sequence[Object], predicted: Sequence[Object], least: Mapping[str, float]) -> tuple[bool, float]:
    """Return whether an image is right, and the score of the most certain prediction that is wrong."""
    told = [one for one in predicted if one["score"] >= least.get(one["label"], DEFAULT)]
    found = sum(one["right"] & 1 for one in told)
    wrong = [one["score"] for one in told if one["wrong"] & 1]
    return not wrong and found == sum(not one[NOT_COUNTED] for one in expected), max(wrong, default=0.0)


class _Images:
    """The objects of each image, what was predicted, and the results behind that, in the order of the split."""

    def __init__(self, evaluation: CocoEvaluation) -> None:
        split = evaluation.split
        names = {category.id: category.name for category in split.categories}
        position_of = {image.id: position for position, image in enumerate(split.images)}
        poses = evaluation.kind == "keypoints"
        self.expected = [[_object(one, names, poses=poses) for one in image.annotations] for image in split.images]
        self.predicted: list[list[dict[str, Any]]] = [[] for _ in split.images]
        self.results: list[list[CocoResult]] = [[] for _ in split.images]
        for result in evaluation.results:
            self.results[position_of[result["image_id"]]].append(result)
        if evaluation.coco is not None:
            for image, category in sorted({(one["image_id"], one["category_id"]) for one in evaluation.results}):
                self.predicted[position_of[image]] += _matched(evaluation.coco, image, category, names[category])
        for own in self.predicted:
            own.sort(key=lambda one: -one["score"])

    @cached_property
    def matches(self) -> list[ClassMatches]:
        """The matches of each class."""
        return matches_of(self.expected, self.predicted)


def _object(annotation: Annotation, names: Mapping[int, str], *, poses: bool) -> dict[str, Any]:
    empty = poses and not annotation.get("num_keypoints")
    points = {"keypoints": [float(value) for value in annotation["keypoints"]]} if poses else {}
    label, box = names[annotation["category_id"]], [float(side) for side in annotation["bbox"]]
    return {"label": label, "bbox": box, NOT_COUNTED: bool(annotation["iscrowd"]) or empty, **points}


def _matched(evaluation: COCOeval_faster, image: int, category: int, label: str) -> list[dict[str, Any]]:
    """Return the predictions of a class in an image, with the thresholds of overlap at which each is right or wrong."""
    truth, detected = (held.get(image, category) for held in (evaluation.gt_dataset, evaluation.dt_dataset))
    order = numpy.argsort([-one["score"] for one in detected], kind="stable")[: evaluation.params.maxDets[-1]]
    ignored = numpy.array([bool(one["ignore"]) for one in truth], dtype=bool)
    crowd = numpy.array([bool(one.get("iscrowd", 0)) for one in truth], dtype=bool)
    thresholds = numpy.minimum(evaluation.params.iouThrs, 1 - 1e-10)
    matched = _matches(evaluation.ious[image, category], len(order), ignored, crowd, thresholds)
    right, wrong = (as_number(bits).tolist() for bits in matched)
    return [
        {
            "label": label,
            "score": float(detected[number]["score"]),
            "bbox": [float(side) for side in detected[number]["bbox"]],
            "right": hits,
            "wrong": misses,
            **({"keypoints": detected[number]["keypoints"]} if "keypoints" in detected[number] else {}),
        }
        for number, hits, misses in zip(order.tolist(), right, wrong, strict=True)
    ]


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
