"""The score of each class with the best F1: no other score has a better one, by counting matches anew."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

pytest.importorskip("faster_coco_eval")

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.class_metrics import class_precision
from adapt_vision_mm.annotations.score_thresholds import DEFAULT


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    sides = [min(one[n] + one[n + 2], other[n] + other[n + 2]) - max(one[n], other[n]) for n in (0, 1)]
    both = max(sides[0], 0) * max(sides[1], 0)
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def f1_at(split: AnnotatedSplit, results: Sequence[CocoResult], category: int, least: float) -> float:
    """F1 of the predictions of a class from a score on, each matched greedily by score; objects are not crowds."""
    right = given = objects = 0
    for image in split.images:
        free = [a["bbox"] for a in image.annotations if a["category_id"] == category and not a["iscrowd"]]
        objects += len(free)
        own = [r for r in results if r["image_id"] == image.id and r["category_id"] == category]
        for result in sorted(own, key=lambda each: -each["score"]):
            if result["score"] < least:
                continue
            given += 1
            best = max(free, key=lambda box: overlap(result["bbox"], box), default=None)
            if best is not None and overlap(result["bbox"], best) >= 0.5:
                free.remove(best)
                right += 1
    return 2 * right / max(given + objects, 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_score_has_a_better_f1(seed: int) -> None:
    random_detections = pytest.importorskip("benchmarks.random_detections", reason="only in the repository")
    split, results = random_detections.random_detections("bbox", images=25, classes=3, seed=seed)
    for image in split.images:
        for annotation in image.annotations:
            annotation["iscrowd"] = 0
    table = class_precision(CocoEvaluation(split, results, "bbox"))
    for number, category in enumerate(split.categories):
        own = sorted({r["score"] for r in results if r["category_id"] == category.id})
        most = max(f1_at(split, results, category.id, least) for least in own)
        found = f1_at(split, results, category.id, table.figures["threshold"][number])
        assert found == pytest.approx(most, abs=0.01)  # COCO's curve has 101 recalls
        assert table.figures["best F1"][number] == pytest.approx(most, abs=0.02)


def test_classes_that_nothing_says_anything_of_keep_the_default() -> None:
    random_detections = pytest.importorskip("benchmarks.random_detections", reason="only in the repository")
    split, _ = random_detections.random_detections("bbox", images=5, classes=2, seed=0)
    table = class_precision(CocoEvaluation(split, [], "bbox"))
    assert table.figures["threshold"] == [DEFAULT, DEFAULT]
    assert table.figures["best F1"] == [0.0, 0.0]
