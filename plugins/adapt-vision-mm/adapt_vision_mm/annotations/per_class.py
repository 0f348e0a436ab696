"""How each class, or each point of a body, did in an evaluation, for the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy

from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.average_precision import evaluated

NEAR = 0.1
"""How far from its place a point may be found, as a share of the longer side of the body's box."""


def class_precision(split: AnnotatedSplit, results: Sequence[dict[str, Any]], kind: str) -> PerClass:
    """Average precision (IoU 0.50 to 0.95, and 0.50), recall and objects of each class.

    Args:
        split: the truth.
        results: COCO results.
        kind: "bbox" or "segm".
    """
    counts = Counter(a["category_id"] for picture in split.pictures for a in picture.annotations if not a["iscrowd"])
    classes = len(split.categories)
    ap, ap50, recall = ([0.0] * classes for _ in range(3))
    evaluation = evaluated(split, results, kind)
    if evaluation is not None:
        # (IoU thresholds, recall steps, classes, areas, most detections); -1 where there is no object of a class.
        precision = evaluation.eval["precision"][:, :, :, 0, -1]
        ap = [_mean(precision[:, :, number]) for number in range(classes)]
        ap50 = [_mean(precision[0, :, number]) for number in range(classes)]
        recall = [_mean(evaluation.eval["recall"][:, number, 0, -1]) for number in range(classes)]
    return PerClass(
        labels=split.names,
        figures={"AP": ap, "AP50": ap50, "recall": recall, "objects": [counts[c.id] for c in split.categories]},
    )


def _mean(values: Any) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else 0.0


def point_accuracy(split: AnnotatedSplit, results: Sequence[dict[str, Any]]) -> PerClass:
    """For each point: the share that is found near its place (PCK at NEAR), and by how much it is off on average.

    A body is compared with the predicted one of its image whose points are nearest to its own.

    Args:
        split: the truth.
        results: COCO keypoint results.
    """
    names = split.categories[0].keypoints
    found: dict[Any, list[Any]] = defaultdict(list)
    for result in results:
        found[result["image_id"]].append(numpy.reshape(result["keypoints"], (-1, 3))[:, :2])
    offs: list[list[float]] = [[] for _ in names]
    for picture in split.pictures:
        for annotation in picture.annotations:
            points = numpy.reshape(annotation["keypoints"], (-1, 3))
            seen = points[:, 2] > 0
            if not seen.any():
                continue
            size = max(annotation["bbox"][2:]) or 1.0
            distances = [numpy.linalg.norm(points[:, :2] - body, axis=1) / size for body in found[picture.id]]
            nearest = min(distances, key=lambda d: float(d[seen].mean()), default=numpy.full(len(names), numpy.inf))
            for number in numpy.flatnonzero(seen):
                offs[number].append(float(nearest[number]))
    near = [sum(off <= NEAR for off in point) / len(point) if point else 0.0 for point in offs]
    finite = [[off for off in point if off != float("inf")] for point in offs]
    mean = [sum(point) / len(point) if point else 0.0 for point in finite]
    return PerClass(
        labels=names,
        figures={f"within {NEAR:g} of the size": near, "mean distance / size": mean, "points": [len(p) for p in offs]},
    )
