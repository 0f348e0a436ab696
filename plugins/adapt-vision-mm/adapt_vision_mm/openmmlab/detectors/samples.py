"""mmdet's data samples as COCO results and annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Annotation, CocoResult, Segmentation
from adapt_vision_mm.annotations.rle import encode_masks

if TYPE_CHECKING:
    from mmdet.structures import DetDataSample


class LabelledObject(TypedDict):
    """An object to draw: `bbox` is [x, y, width, height] in pixels."""

    label: int
    bbox: list[float]
    score: NotRequired[float]
    segmentation: NotRequired[Segmentation]


def box_results(sample: DetDataSample, category_ids: Sequence[int]) -> list[CocoResult]:
    """Return the predicted boxes of a data sample.

    Args:
        sample: with `pred_instances`.
        category_ids: by label.
    """
    found = sample.pred_instances
    columns = (found.bboxes.cpu().tolist(), found.scores.cpu().tolist(), found.labels.cpu().tolist())
    return [
        {
            "image_id": sample.img_id,
            "category_id": category_ids[label],
            "bbox": [left, top, right - left, bottom - top],
            "score": score,
        }
        for (left, top, right, bottom), score, label in zip(*columns, strict=True)
    ]


def mask_results(sample: DetDataSample, category_ids: Sequence[int]) -> list[CocoResult]:
    """Return the predicted boxes of a data sample, with masks where the model predicts them.

    Args:
        sample: with `pred_instances`.
        category_ids: by label.
    """
    results = box_results(sample, category_ids)
    if "masks" in sample.pred_instances:
        for result, mask in zip(results, encode_masks(sample.pred_instances.masks), strict=True):
            result["segmentation"] = mask
    return results


def input_boxes(sample: DetDataSample) -> list[LabelledObject]:
    """Return the boxes that a data sample is trained on, in `gt_instances`."""
    objects = sample.gt_instances
    boxes = getattr(objects.bboxes, "tensor", objects.bboxes).tolist()
    return [
        {"label": int(label), "bbox": [x, y, right - x, bottom - y]}
        for (x, y, right, bottom), label in zip(boxes, objects.labels, strict=True)
    ]


def input_masks(sample: DetDataSample) -> list[LabelledObject]:
    """Return the boxes and masks that a data sample is trained on, in `gt_instances`."""
    import torch

    masks = encode_masks(torch.from_numpy(sample.gt_instances.masks.to_ndarray()))
    objects = input_boxes(sample)
    for item, mask in zip(objects, masks, strict=True):
        item["segmentation"] = mask
    return objects


def label_objects(objects: Sequence[Annotation | CocoResult], split: AnnotatedSplit) -> list[dict[str, object]]:
    """Return annotations or results with the `label` of their category."""
    labels = split.label_of()
    return [{**item, "label": labels[item["category_id"]]} for item in objects]
