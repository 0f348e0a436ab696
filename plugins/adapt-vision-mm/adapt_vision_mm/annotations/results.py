"""What a detector found, in COCO's terms."""

from __future__ import annotations

from typing import Any


def detections(sample: Any, category_ids: list[int], masks: bool) -> list[dict[str, Any]]:
    """The predictions of one mmdet data sample as COCO results.

    Args:
        sample: a DetDataSample with `pred_instances`.
        category_ids: by label.
        masks: whether to give `segmentation` (RLE) too.
    """
    found = sample.pred_instances
    boxes, scores = found.bboxes.cpu().tolist(), found.scores.cpu().tolist()
    encoded = encoded_masks(found.masks) if masks and "masks" in found else [None] * len(boxes)
    results = []
    for box, score, label, mask in zip(boxes, scores, found.labels.cpu().tolist(), encoded, strict=True):
        left, top, right, bottom = box
        result = {
            "image_id": sample.img_id,
            "category_id": category_ids[label],
            "bbox": [left, top, right - left, bottom - top],
            "score": score,
        }
        if mask is not None:
            result["segmentation"] = mask
        results.append(result)
    return results


def encoded_masks(masks: Any) -> list[dict[str, Any]]:
    """Boolean masks (n, height, width) as RLE."""
    import numpy
    from pycocotools import mask as rle

    stacked = numpy.asfortranarray(masks.cpu().numpy().astype("uint8").transpose(1, 2, 0))
    found = rle.encode(stacked)
    return [{"size": list(map(int, one["size"])), "counts": one["counts"].decode()} for one in found]
