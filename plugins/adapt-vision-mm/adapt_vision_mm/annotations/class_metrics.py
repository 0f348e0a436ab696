"""Metrics of each class, or of each keypoint, for the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.score_thresholds import DEFAULT, best_threshold, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR = 0.1
"""Largest distance of a keypoint that counts as found, relative to the longer side of the body's box."""


def class_precision(evaluation: CocoEvaluation) -> PerClass:
    """Return average precision (IoU 0.50 to 0.95, and 0.50), recall and number of objects of each class.

    Also the score "threshold" with the best F1 (at an IoU of 0.50), and that F1.

    Args:
        evaluation: of boxes or masks.
    """
    split, coco = evaluation.split, evaluation.coco
    counts = Counter(a["category_id"] for image in split.images for a in image.annotations if not a["iscrowd"])
    classes = len(split.categories)
    ap, ap50, recall, best_f1 = ([0.0] * classes for _ in range(4))
    least = [DEFAULT] * classes
    if coco is not None:
        # (IoU thresholds, recall steps, classes, areas, most detections); -1 where a class has no object.
        precision = coco.eval["precision"][:, :, :, 0, -1]
        # faster-coco-eval sorts the classes by id, and a split has them in the order of the training split's.
        places = [list(coco.params.catIds).index(category.id) for category in split.categories]
        ap = [_mean(precision[:, :, number]) for number in places]
        ap50 = [_mean(precision[0, :, number]) for number in places]
        recall = [_mean(coco.eval["recall"][:, number, 0, -1]) for number in places]
        scores, every = coco.eval["scores"][0, :, :, 0, -1], scores_of(evaluation.results)
        tuned = [
            best_threshold(precision[0, :, n], scores[:, n], coco.params.recThrs, every.get(category.id, ()))
            for n, category in zip(places, split.categories, strict=True)
        ]
        least, best_f1 = ([pair[place] for pair in tuned] for place in (0, 1))
    return PerClass(
        labels=split.names,
        figures={
            "AP": ap,
            "AP50": ap50,
            "recall": recall,
            "best F1": best_f1,
            "threshold": least,
            "objects": [counts[c.id] for c in split.categories],
        },
    )


def _mean(values: NDArray[numpy.float64]) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else 0.0


def keypoint_accuracy(split: AnnotatedSplit, results: Sequence[CocoResult]) -> PerClass:
    """Return, for each keypoint, the share that is found (PCK at NEAR) and the mean distance from its position.

    A body is compared with the predicted one in its image whose keypoints are nearest to its own.

    Args:
        split: the ground truth.
        results: predicted poses.
    """
    names = split.categories[0].keypoints
    found: dict[int, list[NDArray[numpy.float64]]] = defaultdict(list)
    for result in results:
        found[result["image_id"]].append(numpy.reshape(result["keypoints"], (-1, 3))[:, :2])
    distances: list[list[float]] = [[] for _ in names]
    for image in split.images:
        for annotation in image.annotations:
            points = numpy.reshape(annotation["keypoints"], (-1, 3))
            labelled = points[:, 2] > 0
            if not labelled.any():
                continue
            size = max(annotation["bbox"][2:]) or 1.0
            candidates = [numpy.linalg.norm(points[:, :2] - body, axis=1) / size for body in found[image.id]]
            nearest = min(
                candidates, key=lambda d: float(d[labelled].mean()), default=numpy.full(len(names), numpy.inf)
            )
            for number in numpy.flatnonzero(labelled):
                distances[number].append(float(nearest[number]))
    near = [sum(value <= NEAR for value in point) / len(point) if point else 0.0 for point in distances]
    finite = [[value for value in point if value != float("inf")] for point in distances]
    mean = [sum(point) / len(point) if point else 0.0 for point in finite]
    return PerClass(
        labels=names,
        figures={
            f"within {NEAR:g} of the size": near,
            "mean distance / size": mean,
            "points": [len(point) for point in distances],
        },
    )
