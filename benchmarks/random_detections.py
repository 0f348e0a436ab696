"""Annotated images and predictions of them, the same in every run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Category, CocoResult
from adapt_vision_mm.annotations.metric_names import Kind

_SIDES = (640, 480)
_POINTS = 5


def random_detections(
    kind: Kind, images: int, classes: int, objects: int = 8, seed: int = 0
) -> tuple[AnnotatedSplit, list[CocoResult]]:
    """Return a split and predictions that are near its objects, of another class, twice, missing or without an object.

    Areas are from 25 to 60,000 pixels, so that there are small, medium and large objects; of boxes and masks a tenth
    are crowds. Scores are repeated, and ids of classes are in no order and begin at 0.

    Args:
        kind: what the predictions have.
        images: how many, of 640 x 480 pixels.
        classes: how many; of keypoints all predictions are of the first.
        objects: in an image, at most.
        seed: of all that is random.
    """
    random = numpy.random.default_rng(seed)
    ids = [int(number) for number in random.permutation(3 * classes)[:classes]]
    if 0 not in ids:
        ids[-1] = 0
    found: list[AnnotatedImage] = []
    results: list[CocoResult] = []
    for image in range(images):
        annotations = []
        for _ in range(random.integers(0, objects + 1)):
            category = int(random.choice(ids))
            crowd = int(kind != "keypoints" and random.random() < 0.1)
            box, points = _box(random), random.integers(0, 3, _POINTS)
            shape = _shape(kind, box, points, random)
            area = box[2] * box[3] * (0.5 if kind == "segm" else 1.0)
            annotation: Any = {"id": 0, "image_id": image, "category_id": category, "bbox": box}
            annotations.append({**annotation, "area": area, "iscrowd": crowd, **shape})
            for _ in range(random.integers(0, 3)):
                other = int(random.choice(ids)) if random.random() < 0.2 else category
                score = random.random()
                near = _near(box, random)
                rounded = float(round(score, 1) if random.random() < 0.3 else score)
                result: Any = {"image_id": image, "category_id": other, "score": rounded}
                results.append({**result, "bbox": near, **_predicted(kind, near, shape, random)})
        found.append(
            AnnotatedImage(id=image, path=Path(f"{image}"), width=640, height=480, annotations=tuple(annotations))
        )
    names = tuple(f"point {number}" for number in range(_POINTS)) if kind == "keypoints" else ()
    categories = tuple(Category(id=number, name=f"class {number}", keypoints=names) for number in ids)
    return AnnotatedSplit(source="random", images=tuple(found), categories=categories), results


def near_detections(split: AnnotatedSplit, kind: Kind, seed: int = 0) -> list[CocoResult]:
    """Return predictions near the objects of annotated images, of other classes, twice or missing, without an object.

    Args:
        split: the images.
        kind: what the predictions have.
        seed: of all that is random.
    """
    random = numpy.random.default_rng(seed)
    ids = [category.id for category in split.categories]
    results: list[CocoResult] = []
    for image in split.images:
        boxes = [one["bbox"] for one in image.annotations]
        for place, annotation in enumerate(image.annotations):
            for copy in range(random.integers(0, 3)):
                category = int(random.choice(ids)) if random.random() < 0.2 else annotation["category_id"]
                sides = boxes[place] if random.random() < 0.9 else boxes[int(random.integers(len(boxes)))]
                moved = numpy.array(sides) * (1 + random.normal(0, 0.03 + 0.1 * copy, 4))
                left, top, width, height = (max(float(value), 0.0) for value in moved)
                near = [left, top, max(min(width, image.width - left), 1.0), max(min(height, image.height - top), 1.0)]
                result: Any = {"image_id": image.id, "category_id": category, "score": round(random.random(), 2)}
                result |= {"bbox": near}
                if kind == "segm":
                    result["segmentation"] = _encoded(_outline(near), image.height, image.width)
                if kind == "keypoints":
                    points = numpy.reshape(annotation["keypoints"], (-1, 3)).astype(float)
                    points[:, :2] += random.normal(0, 0.03 * max(sides[2:]), points[:, :2].shape)
                    result["keypoints"] = points.ravel().tolist()
                results.append(result)
    return results


def _box(random: numpy.random.Generator) -> list[float]:
    sides = random.uniform(5, 250, 2)
    corner = random.uniform(0, numpy.array(_SIDES) - sides)
    return [float(value) for value in (*corner, *sides)]


def _near(box: list[float], random: numpy.random.Generator) -> list[float]:
    left, top, width, height = (float(value) for value in numpy.array(box) + random.normal(0, [8, 8, 12, 12]))
    left, top = max(left, 0.0), max(top, 0.0)
    return [left, top, max(min(width, _SIDES[0] - left), 1.0), max(min(height, _SIDES[1] - top), 1.0)]


def _outline(box: list[float]) -> list[list[float]]:
    left, top, width, height = box
    right, bottom, middle = left + width, top + height, left + width / 2
    return [[left, top, right, top, right, top + 0.3 * height, middle, bottom, left, top + 0.3 * height]]


def _shape(
    kind: Kind, box: list[float], labelled: numpy.ndarray[Any, Any], random: numpy.random.Generator
) -> dict[str, Any]:
    if kind == "segm":
        return {"segmentation": _outline(box)}
    if kind == "bbox":
        return {}
    places = numpy.array(box[:2]) + random.random((_POINTS, 2)) * numpy.array(box[2:])
    points = [float(value) for value in numpy.column_stack([places, labelled]).ravel()]
    return {"keypoints": points, "num_keypoints": int((labelled > 0).sum())}


def _predicted(kind: Kind, box: list[float], shape: dict[str, Any], random: numpy.random.Generator) -> dict[str, Any]:
    if kind == "bbox":
        return {}
    if kind == "segm":
        return {"segmentation": _encoded(_outline(box), _SIDES[1], _SIDES[0])}
    points = numpy.reshape(shape["keypoints"], (-1, 3)) + random.normal(0, 4, (_POINTS, 3))
    return {"keypoints": [float(value) for value in points.ravel()]}


def _encoded(outline: list[list[float]], height: int, width: int) -> dict[str, Any]:
    from pycocotools import mask as rle

    merged = rle.merge(rle.frPyObjects(outline, height, width))
    return {"size": merged["size"], "counts": merged["counts"].decode()}
