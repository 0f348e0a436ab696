"""A pose model on raw images: named points, and the images with skeletons drawn on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.run_folder.files import write_text

from adapt_vision_mm.images.output_files import number_outputs
from adapt_vision_mm.openmmlab import availability

if TYPE_CHECKING:
    from torch import nn


def predict_poses(model: nn.Module, folder: Path, inputs: Iterable[Any], plan: Plan) -> list[dict[str, Any]]:
    """See `PoseDetection.predict`."""
    from mmpose.apis import inference_bottomup, inference_topdown
    from torchvision.io import write_png

    from adapt_vision_mm.images.overlays import draw_poses
    from adapt_vision_mm.images.thumbnails import read_pixels
    from adapt_vision_mm.pose_detection.config import is_top_down
    from adapt_vision_mm.pose_detection.results import poses

    held: Any = model
    infer = inference_topdown if is_top_down(held.cfg) else inference_bottomup
    meta = held.dataset_meta
    names = [meta["keypoint_id2name"][number] for number in sorted(meta["keypoint_id2name"])]
    output = folder.parent / "predictions"
    predictions, results = [], []
    paths = [Path(item) for item in inputs]
    for number, (path, drawn) in enumerate(zip(paths, number_outputs(output, paths), strict=True), start=1):
        with availability.quiet_warnings():
            samples = infer(model, str(path))
        for sample in samples:
            sample.set_metainfo({"img_id": number})
        found = [p for sample in samples for p in poses(sample) if p["score"] >= plan.task.params.score_threshold]
        results += [{**pose, "category_id": 1, "file_name": str(path)} for pose in found]
        image = draw_poses(read_pixels(path), [pose["keypoints"] for pose in found], meta["skeleton_links"])
        write_png(image, str(drawn))
        detections = [
            {
                "score": round(pose["score"], 6),
                "keypoints": {
                    name: [round(value, 3) for value in pose["keypoints"][3 * i : 3 * i + 3]]
                    for i, name in enumerate(names)
                },
            }
            for pose in found
        ]
        predictions.append({"image": str(path), "detections": detections, "drawn": str(drawn)})
    write_text(output / "predictions.json", json.dumps(results, indent=1))
    return predictions
