"""COCO average precision of predictions in memory, by faster-coco-eval.

Its figures are pycocotools' (tests/annotations/test_average_precision.py), for a tenth to a half of the time.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.metric_names import METRICS, Kind

if TYPE_CHECKING:
    from faster_coco_eval import COCO, COCOeval_faster

_FIELDS = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
_DEFAULT_SIGMA = 0.05

COCO_SIGMAS = tuple(value / 1000 for value in (26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89))
"""Keypoint sigmas of the COCO evaluation, for a person's 17 keypoints."""


class CocoEvaluation:
    """The evaluation of predictions by COCO's rules, made once whatever is asked of it.

    Args:
        split: the ground truth.
        results: predictions.
        kind: what is compared.
    """

    def __init__(self, split: AnnotatedSplit, results: Sequence[CocoResult], kind: Kind) -> None:
        self.split, self.results, self.kind = split, results, kind

    @cached_property
    def coco(self) -> COCOeval_faster | None:
        """faster-coco-eval's evaluation, accumulated and summarized; None without results."""
        return _evaluate(self.split, self.results, self.kind) if self.results else None

    def average_precision(self) -> dict[str, float]:
        """Return mAP (IoU or OKS 0.50 to 0.95), AP50 and AP75, between 0 and 1, under the names of `METRICS`.

        Without results all are 0.
        """
        names = list(METRICS[self.kind])
        if self.coco is None:
            return dict.fromkeys(names, 0.0)
        return {name: max(0.0, float(value)) for name, value in zip(names, self.coco.stats[:3], strict=True)}


def _evaluate(split: AnnotatedSplit, results: Sequence[CocoResult], kind: Kind) -> COCOeval_faster:
    from faster_coco_eval import COCOeval_faster

    with contextlib.redirect_stdout(io.StringIO()):
        truth = to_coco(split)
        # Areas are inferred from any other field that is present.
        fields = ("image_id", "category_id", "score", _FIELDS[kind])
        found = truth.loadRes([{key: value for key, value in result.items() if key in fields} for result in results])
        evaluation = COCOeval_faster(truth, found, kind)
        if kind == "keypoints":
            import numpy

            evaluation.params.kpt_oks_sigmas = numpy.array(keypoint_sigmas(split))
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def keypoint_sigmas(split: AnnotatedSplit) -> list[float]:
    """Return the OKS sigmas of a split's keypoints: as annotated, COCO's for its 17 keypoints, else 0.05 each."""
    category = split.categories[0]
    if len(category.sigmas) == len(category.keypoints):
        return list(category.sigmas)
    if len(category.keypoints) == len(COCO_SIGMAS):
        return list(COCO_SIGMAS)
    return [_DEFAULT_SIGMA] * len(category.keypoints)


def to_coco(split: AnnotatedSplit) -> COCO:
    """Return a split as faster-coco-eval's COCO object; annotations are numbered from 1, for 0 counts as unmatched."""
    from faster_coco_eval import COCO

    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": image.id, "width": image.width, "height": image.height} for image in split.images],
        "categories": [{"id": category.id, "name": category.name} for category in split.categories],
        "annotations": [
            {**annotation, "id": number}
            for number, annotation in enumerate((a for image in split.images for a in image.annotations), start=1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth
