"""A detector on raw images: COCO-style results, and the images with what was found drawn on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.files import write_text
from adapt_core.plan import Plan

from adapt_vision_mm.coco.predictions import detections
from adapt_vision_mm.images.drawn import drawn_files
from adapt_vision_mm.openmmlab import parts

if TYPE_CHECKING:
    from torch import nn


def predict_detections(
    model: nn.Module, folder: Path, inputs: Iterable[Any], plan: Plan, masks: bool
) -> list[dict[str, Any]]:
    """See `ObjectDetection.predict`."""
    from mmdet.apis import inference_detector

    held: Any = model
    names = list(held.dataset_meta["classes"])
    output = folder.parent / "predictions"
    predictions, results = [], []
    paths = [Path(item) for item in inputs]
    for number, (path, drawn) in enumerate(zip(paths, drawn_files(output, paths), strict=True), start=1):
        with parts.quiet_warnings():
            sample = inference_detector(model, str(path))
        sample.set_metainfo({"img_id": number})
        found = [
            result
            for result in detections(sample, list(range(1, len(names) + 1)), masks)
            if result["score"] >= plan.task.params.score_threshold
        ]
        results += [{**result, "file_name": str(path)} for result in found]
        draw(path, found, names, drawn, getattr(plan.task.params, "palette", ()))
        height, width = sample.ori_shape
        predictions.append(
            {
                "image": str(path),
                "width": int(width),
                "height": int(height),
                "detections": [{"category": names[result["category_id"] - 1], **_rounded(result)} for result in found],
                "drawn": str(drawn),
            }
        )
    write_text(output / "predictions.json", json.dumps(results, indent=1))
    return predictions


def _rounded(result: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in result.items() if key != "image_id"}
    return {**kept, "bbox": [round(v, 2) for v in result["bbox"]], "score": round(result["score"], 6)}


def draw(path: Path, found: list[dict[str, Any]], names: list[str], output: Path, palette: Any = ()) -> None:
    """Writes an image with boxes, masks and scores on it."""
    import cv2
    import torch
    from pycocotools import mask as rle
    from torchvision.io import write_png
    from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

    image = torch.from_numpy(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
    colours = [tuple(palette[i]) if i < len(palette) else _COLOURS[i % len(_COLOURS)] for i in range(len(names))]
    if found:
        chosen = [colours[result["category_id"] - 1] for result in found]
        if "segmentation" in found[0]:
            masks = torch.stack([torch.from_numpy(rle.decode(result["segmentation"])).bool() for result in found])
            image = draw_segmentation_masks(image, masks, alpha=0.5, colors=chosen)
        corners = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in (result["bbox"] for result in found)])
        words = [f"{names[result['category_id'] - 1]} {result['score']:.2f}" for result in found]
        image = draw_bounding_boxes(image, corners, labels=words, colors=chosen, width=2)
    write_png(image, str(output))


_COLOURS = ((230, 57, 70), (29, 120, 200), (42, 157, 80), (244, 162, 40), (131, 56, 180), (0, 180, 180), (200, 80, 150))
