"""Right values of average precision where metric libraries take ids and orders for granted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("faster_coco_eval")
pytest.importorskip("pycocotools")

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Category, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.class_metrics import class_precision
from adapt_vision_mm.annotations.metric_names import Kind


def split_of(ids: dict[str, int], boxes: list[tuple[str, list[float]]], first_id: int = 0) -> AnnotatedSplit:
    """A split of one image whose classes have the given ids, in the order of the mapping."""
    annotations: list[Any] = [
        {"id": n, "image_id": 0, "category_id": ids[name], "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for n, (name, box) in enumerate(boxes, start=first_id)
    ]
    image = AnnotatedImage(id=0, path=Path("a"), width=100, height=100, annotations=tuple(annotations))
    return AnnotatedSplit(
        source="", images=(image,), categories=tuple(Category(id=n, name=name) for name, n in ids.items())
    )


def found(category: int, box: list[float], score: float = 0.9) -> CocoResult:
    return {"image_id": 0, "category_id": category, "bbox": box, "score": score}


@pytest.mark.parametrize("first_id", [0, 1])
def test_an_annotation_with_id_0_in_an_image_with_id_0_can_be_found(first_id: int) -> None:
    boxes: list[tuple[str, list[float]]] = [("cup", [10, 10, 20, 20]), ("cup", [60, 60, 20, 20])]
    split = split_of({"cup": 0}, boxes, first_id)
    exact = [found(0, box) for _, box in boxes]
    assert CocoEvaluation(split, exact, "bbox").average_precision() == {"mAP": 1.0, "AP50": 1.0, "AP75": 1.0}


def test_each_class_has_its_own_figures_in_any_order_of_ids() -> None:
    boxes: list[tuple[str, list[float]]] = [("cup", [10, 10, 20, 20]), ("plate", [60, 60, 20, 20])]
    results = {"cup": [10.0, 10, 20, 20], "plate": [0.0, 80, 20, 20]}  # the cup is found, the plate is not
    for ids in ({"cup": 1, "plate": 2}, {"cup": 9, "plate": 4}, {"cup": 7, "plate": 0}):
        split = split_of(ids, boxes)
        detected = [found(ids[name], box) for name, box in results.items()]
        table = class_precision(CocoEvaluation(split, detected, "bbox"))
        assert table.labels == ("cup", "plate")
        assert table.figures["AP"] == [pytest.approx(1.0), 0.0]
        assert table.figures["recall"] == [pytest.approx(1.0), 0.0]
        assert table.figures["objects"] == [1, 1]


def test_a_crowd_is_neither_missed_nor_a_wrong_detection() -> None:
    split = split_of({"cup": 1}, [("cup", [10, 10, 20, 20]), ("cup", [50, 50, 40, 40])])
    split.images[0].annotations[1]["iscrowd"] = 1
    results = [found(1, [10, 10, 20, 20]), found(1, [55, 55, 10, 10], 0.95)]
    assert CocoEvaluation(split, results, "bbox").average_precision()["mAP"] == pytest.approx(1.0)


@pytest.mark.parametrize("classes", [1, 7])
@pytest.mark.parametrize("kind", ["bbox", "segm", "keypoints"])
def test_the_figures_are_those_of_pycocotools(kind: Kind, classes: int) -> None:
    """With crowds, small, medium and large objects, repeated scores, wrong classes and ids from 0 in no order."""
    pytest.importorskip("benchmarks.coco_scoring", reason="only in the repository")
    from benchmarks.coco_scoring import by_pycocotools, differences
    from benchmarks.random_detections import random_detections

    split, results = random_detections(kind, images=60, classes=classes, seed=classes)
    theirs = by_pycocotools(split, results, kind)
    assert 0.05 < theirs.stats[0] < 0.9
    # 2.2e-16: the precisions are divided with and without a smallest number beside the divisor.
    assert max(differences(CocoEvaluation(split, results, kind).coco, theirs).values()) < 1e-15


@pytest.mark.parametrize("name", ["bccd_coco", "coco_mini", "coco_mini, persons"])
def test_the_figures_on_real_annotations_are_those_of_pycocotools(name: str) -> None:
    """Cells, COCO's masks with their crowds, and persons with keypoints; predictions are made near the objects."""
    pytest.importorskip("benchmarks.coco_scoring", reason="only in the repository")
    from benchmarks.annotated_data import annotated
    from benchmarks.coco_scoring import by_pycocotools, differences
    from benchmarks.random_detections import near_detections

    data = Path(__file__).parents[5] / "shared" / "data"
    if not data.is_dir():
        pytest.skip("the data sets are not beside the checkout")
    kind, splits = annotated(name, data)
    for split in splits.values():
        results = near_detections(split, kind)
        theirs = by_pycocotools(split, results, kind)
        assert theirs.stats[0] > 0.02
        assert max(differences(CocoEvaluation(split, results, kind).coco, theirs).values()) < 1e-15
