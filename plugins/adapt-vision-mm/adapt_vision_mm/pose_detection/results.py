"""The predictions of a pose model as COCO results."""

from __future__ import annotations

from typing import Any

import numpy


def poses(sample: Any) -> list[dict[str, Any]]:
    """Return the predictions of one mmpose data sample as COCO results (without category).

    The score is the box's times the mean of the points' scores above 0.2, as in COCO's top-down evaluation.
    """
    found = sample.pred_instances
    points, scores = numpy.asarray(found.keypoints), numpy.asarray(found.keypoint_scores)
    boxes = numpy.asarray(found.bbox_scores) if "bbox_scores" in found else numpy.ones(len(points))
    results = []
    for where, sure, box in zip(points, scores, boxes.reshape(-1), strict=True):
        confident = sure[sure > 0.2]
        results.append(
            {
                "image_id": sample.img_id,
                "keypoints": numpy.concatenate([where, sure[:, None]], axis=1).reshape(-1).tolist(),
                "score": float(box) * float(confident.mean() if confident.size else 0.0),
            }
        )
    return results
