"""Predicted poses as COCO results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.annotated_split import CocoResult

if TYPE_CHECKING:
    from mmpose.structures import PoseDataSample

_CONFIDENT = 0.2


def pose_results(sample: PoseDataSample, category_id: int) -> list[CocoResult]:
    """Return the predictions of one data sample; the score of a keypoint is where COCO has its visibility.

    The score of a pose is that of its box times the mean of the keypoint scores above 0.2, as in mmpose's evaluation of
    top-down models.
    """
    import numpy

    found = sample.pred_instances
    points, scores = numpy.asarray(found.keypoints), numpy.asarray(found.keypoint_scores)
    boxes = numpy.asarray(found.bbox_scores) if "bbox_scores" in found else numpy.ones(len(points))
    results: list[CocoResult] = []
    for positions, sure, box in zip(points, scores, boxes.reshape(-1), strict=True):
        confident = sure[sure > _CONFIDENT]
        results.append(
            {
                "image_id": sample.img_id,
                "keypoints": numpy.concatenate([positions, sure[:, None]], axis=1).reshape(-1).tolist(),
                "score": float(box) * float(confident.mean() if confident.size else 0.0),
                "category_id": category_id,
            }
        )
    return results
