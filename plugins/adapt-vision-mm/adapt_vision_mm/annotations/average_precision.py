"""COCO average precision of predictions held in memory, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit

_NAMES = {"bbox": "", "segm": "mask_", "keypoints": "keypoint_"}


def average_precision(split: AnnotatedSplit, results: Sequence[dict[str, Any]], kind: str) -> dict[str, float]:
    """mAP (IoU or OKS 0.50 to 0.95), AP50 and AP75.

    Args:
        split: the truth.
        results: COCO results: `image_id`, `category_id`, `score`, and `bbox`, `segmentation` (RLE) or `keypoints`.
        kind: "bbox", "segm" or "keypoints".

    Returns:
        between 0 and 1; named mAP, AP50, AP75, with the prefix mask_ or keypoint_. All 0 where nothing was found.
    """
    names = [f"{_NAMES[kind]}{name}" for name in ("mAP", "AP50", "AP75")]
    evaluation = evaluated(split, results, kind)
    if evaluation is None:
        return dict.fromkeys(names, 0.0)
    return {name: max(0.0, float(value)) for name, value in zip(names, evaluation.stats[:3], strict=True)}


def evaluated(split: AnnotatedSplit, results: Sequence[dict[str, Any]], kind: str) -> Any:
    """pycocotools' evaluation of results, accumulated and summarized; None where nothing was found.

    Args: as `average_precision`.
    """
    from pycocotools.cocoeval import COCOeval

    if not results:
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        truth = as_coco(split)
        found = truth.loadRes([_only(result, kind) for result in results])
        evaluation = COCOeval(truth, found, kind)
        if kind == "keypoints":
            import numpy

            evaluation.params.kpt_oks_sigmas = numpy.array(sigmas(split))
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _only(result: dict[str, Any], kind: str) -> dict[str, Any]:
    """A result as pycocotools takes it for one kind: it guesses areas from whatever else is there."""
    wanted = {"bbox": ("bbox",), "segm": ("segmentation",), "keypoints": ("keypoints",)}[kind]
    return {key: result[key] for key in ("image_id", "category_id", "score", *wanted)}


def sigmas(split: AnnotatedSplit) -> list[float]:
    """OKS sigmas of a split's points: as annotated, COCO's for its 17 points, else 0.05 each."""
    category = split.categories[0]
    if len(category.sigmas) == len(category.keypoints):
        return list(category.sigmas)
    if len(category.keypoints) == len(COCO_SIGMAS):
        return list(COCO_SIGMAS)
    return [0.05] * len(category.keypoints)


COCO_SIGMAS = tuple(value / 1000 for value in (26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89))
"""Keypoint sigmas of the COCO evaluation, for a person's 17 points."""


def as_coco(split: AnnotatedSplit) -> Any:
    """A split as pycocotools' COCO object."""
    from pycocotools.coco import COCO

    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": p.id, "width": p.width, "height": p.height} for p in split.pictures],
        "categories": [{"id": c.id, "name": c.name} for c in split.categories],
        "annotations": [
            {**annotation, "id": number}
            for number, annotation in enumerate((a for p in split.pictures for a in p.annotations), start=1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth
