"""A pose model on image files: named keypoints, and the images with skeletons drawn on them."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.run_folder.files import write_text

from adapt_vision_mm.images.output_files import number_outputs, shown_path
from adapt_vision_mm.openmmlab import availability
from adapt_vision_mm.pose_detection.results import pose_results

if TYPE_CHECKING:
    from mmengine.model import BaseModel

_WHOLE_IMAGES = (
    "the model sees one body at a time: in training and in the metrics of its run, each was cut out by its annotated "
    "box. Here, without boxes, each image is taken as one body: crop the images to the bodies."
)

log = logging.getLogger(__name__)


@attrs.frozen
class PosePredictor:
    """Predicts on image files with a pose model.

    Attributes:
        threshold: smallest score of a pose that is kept.
    """

    threshold: float

    def predict(self, model: BaseModel, paths: Sequence[Path], output: Path) -> list[dict[str, Any]]:
        """Return {"image", "detections", "drawn"} for each image.

        A detection has "score" and "keypoints": name -> [x, y, score] in pixels. A top-down model takes the whole image
        as one instance. `drawn` is the image with its poses in `output`, where `predictions.json` has all poses as COCO
        results with the category id of the training annotations.
        """
        from torchvision.io import write_png

        from adapt_vision_mm.images.captions import draw_note
        from adapt_vision_mm.images.overlays import draw_poses
        from adapt_vision_mm.openmmlab.photo import as_pixels, read_bgr
        from adapt_vision_mm.pose_detection.approaches import approach_of

        approach = approach_of(model.cfg)
        infer = approach.inference()
        if approach.data_mode == "topdown":
            log.warning(_WHOLE_IMAGES)
        meta = model.dataset_meta
        names = [meta["keypoint_id2name"][number] for number in sorted(meta["keypoint_id2name"])]
        body = meta.get("category_id", 1)
        predictions, results = [], []
        for number, (path, drawn) in enumerate(zip(paths, number_outputs(output, paths), strict=True), start=1):
            photo = read_bgr(path)
            with availability.quiet_warnings():
                samples = infer(model, photo)
            for sample in samples:
                sample.set_metainfo({"img_id": number})
            found = [pose for sample in samples for pose in pose_results(sample, body)]
            poses = [pose for pose in found if pose["score"] >= self.threshold]
            results += [{**pose, "file_name": shown_path(path)} for pose in poses]
            image = draw_poses(as_pixels(photo), [pose["keypoints"] for pose in poses], meta["skeleton_links"])
            write_png(image if poses else draw_note(image), str(drawn))
            detections = [
                {"score": round(pose["score"], 6), "keypoints": _by_name(pose["keypoints"], names)} for pose in poses
            ]
            predictions.append({"image": shown_path(path), "detections": detections, "drawn": shown_path(drawn)})
        write_text(output / "predictions.json", json.dumps(results, indent=1))
        return predictions


def _by_name(keypoints: Sequence[float], names: Sequence[str]) -> dict[str, list[float]]:
    return {
        name: [round(value, 3) for value in keypoints[3 * number : 3 * number + 3]] for number, name in enumerate(names)
    }
