"""A detector on raw images: COCO-style results, and the images with what was found drawn on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.run_folder.files import write_text

from adapt_vision_mm.annotations.results import detections
from adapt_vision_mm.images.output_files import number_outputs
from adapt_vision_mm.openmmlab import availability

if TYPE_CHECKING:
    from torch import nn


def predict_detections(
    model: nn.Module, folder: Path, inputs: Iterable[Any], plan: Plan, masks: bool
) -> list[dict[str, Any]]:
    """See `ObjectDetection.predict`."""
    from mmdet.apis import inference_detector
    from torchvision.io import write_png

    from adapt_vision_mm.images.overlays import draw_objects
    from adapt_vision_mm.images.thumbnails import read_pixels

    held: Any = model
    names = list(held.dataset_meta["classes"])
    output = folder.parent / "predictions"
    predictions, results = [], []
    paths = [Path(item) for item in inputs]
    for number, (path, drawn) in enumerate(zip(paths, number_outputs(output, paths), strict=True), start=1):
        with availability.quiet_warnings():
            sample = inference_detector(model, str(path))
        sample.set_metainfo({"img_id": number})
        found = [
            result
            for result in detections(sample, list(range(1, len(names) + 1)), masks)
            if result["score"] >= plan.task.params.score_threshold
        ]
        results += [{**result, "file_name": str(path)} for result in found]
        labelled = [{**result, "label": result["category_id"] - 1} for result in found]
        palette = getattr(plan.task.params, "palette", ())
        write_png(draw_objects(read_pixels(path), labelled, names, palette), str(drawn))
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
