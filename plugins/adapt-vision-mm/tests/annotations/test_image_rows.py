"""Any sample of the images of an evaluation measures what faster-coco-eval measures on such images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import attrs
import numpy
import pytest

pytest.importorskip("faster_coco_eval")
pytest.importorskip("benchmarks.random_detections")

from benchmarks.random_detections import random_detections

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.image_rows import image_rows
from adapt_vision_mm.annotations.metric_names import Kind

KINDS: Sequence[Kind] = get_args(Kind)


def taken(
    split: AnnotatedSplit, results: list[CocoResult], sample: Sequence[int]
) -> tuple[AnnotatedSplit, list[CocoResult]]:
    """The images of a sample as images of their own, in the order of the split."""
    images, found = [], []
    for number, position in enumerate(sorted(sample)):
        image = split.images[position]
        annotations = tuple({**annotation, "image_id": number} for annotation in image.annotations)
        images.append(attrs.evolve(image, id=number, annotations=annotations))
        found += [{**result, "image_id": number} for result in results if result["image_id"] == image.id]
    return attrs.evolve(split, images=tuple(images)), found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_all_images_once_are_the_evaluation_itself(kind: Kind, seed: int) -> None:
    split, results = random_detections(kind, 30, 1 if kind == "keypoints" else 4, seed=seed)
    found = image_rows(CocoEvaluation(split, results, kind), {}).measure(numpy.arange(30))
    assert found == pytest.approx(CocoEvaluation(split, results, kind).average_precision())
    assert min(found.values()) > 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_the_evaluation_of_its_images(kind: Kind, seed: int) -> None:
    split, results = random_detections(kind, 20, 1 if kind == "keypoints" else 3, seed=seed)
    # Of equal scores in one image COCO's order depends on how many images there are like it.
    results = [{**result, "score": result["score"] + number * 1e-9} for number, result in enumerate(results)]
    sample = numpy.random.default_rng(seed).integers(0, 20, 20)
    assert image_rows(CocoEvaluation(split, results, kind), {}).measure(sample) == pytest.approx(
        CocoEvaluation(*taken(split, results, sample.tolist()), kind).average_precision()
    )


def test_without_a_detection_all_is_0() -> None:
    split, _ = random_detections("bbox", 5, 2)
    rows = image_rows(CocoEvaluation(split, [], "bbox"), {})
    assert rows.measure(numpy.arange(5)) == {"mAP": 0.0, "AP50": 0.0, "AP75": 0.0}
    assert len(rows) == 5
