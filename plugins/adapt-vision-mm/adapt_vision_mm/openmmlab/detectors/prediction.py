"""A detector on image files: COCO results, and the images with the predictions drawn on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.hf.decisions.names import THRESHOLDS
from adapt_core.run_folder.files import write_text

from adapt_vision_mm.annotations.annotated_split import CocoResult
from adapt_vision_mm.annotations.score_thresholds import DEFAULT
from adapt_vision_mm.images.output_files import number_outputs, shown_path
from adapt_vision_mm.openmmlab import availability

if TYPE_CHECKING:
    from mmdet.structures import DetDataSample
    from mmengine.model import BaseModel


@attrs.frozen(kw_only=True)
class DetectorPredictor:
    """Predicts on image files with a detector.

    Attributes:
        to_results: (data sample, category ids by label) -> its predictions.
        threshold: smallest score of a prediction that is kept; None takes that of its class, tuned in training.
        palette: colours by label.
    """

    to_results: Callable[[DetDataSample, Sequence[int]], list[CocoResult]]
    threshold: float | None
    palette: Sequence[Sequence[int]] = ()

    def predict(self, model: BaseModel, paths: Sequence[Path], output: Path) -> list[dict[str, Any]]:
        """Return {"image", "width", "height", "detections", "drawn"} for each image.

        A detection has "category", "category_id" (that of the training annotations), "bbox" [x, y, width, height] in
        pixels, "score", and "segmentation" (RLE) where masks are predicted. `drawn` is the image with its detections,
        or the words "nothing found", in `output`, where `predictions.json` has all detections as COCO results.
        """
        from mmdet.apis import inference_detector
        from torchvision.io import write_png

        from adapt_vision_mm.images.captions import draw_note
        from adapt_vision_mm.images.overlays import draw_objects
        from adapt_vision_mm.openmmlab.photo import as_pixels, read_bgr

        names = list(model.dataset_meta["classes"])
        category_ids = list(model.dataset_meta.get("category_ids") or range(1, len(names) + 1))
        least = least_scores(model, category_ids, self.threshold)
        labels = {category: label for label, category in enumerate(category_ids)}
        predictions, results = [], []
        for number, (path, drawn) in enumerate(zip(paths, number_outputs(output, paths), strict=True), start=1):
            photo = read_bgr(path)
            with availability.quiet_warnings():
                sample = inference_detector(model, photo)
            sample.set_metainfo({"img_id": number})
            every = self.to_results(sample, category_ids)
            found = [result for result in every if result["score"] >= least[result["category_id"]]]
            results += [{**result, "file_name": shown_path(path)} for result in found]
            labelled = [{**result, "label": labels[result["category_id"]]} for result in found]
            image = draw_objects(as_pixels(photo), labelled, names, self.palette)
            write_png(image if found else draw_note(image), str(drawn))
            height, width = sample.ori_shape
            predictions.append(
                {
                    "image": shown_path(path),
                    "width": int(width),
                    "height": int(height),
                    "detections": [{"category": names[labels[r["category_id"]]], **_rounded(r)} for r in found],
                    "drawn": shown_path(drawn),
                }
            )
        write_text(output / "predictions.json", json.dumps(results, indent=1))
        return predictions


def least_scores(model: BaseModel, category_ids: Sequence[int], threshold: float | None) -> dict[int, float]:
    """Return the least score of a prediction by category id.

    Args:
        model: with the `thresholds` of its classes in `dataset_meta`, where they were tuned.
        category_ids: by label.
        threshold: score_threshold, which goes first.
    """
    tuned = model.dataset_meta.get(THRESHOLDS) if threshold is None else None
    own = tuned or [DEFAULT if threshold is None else threshold] * len(category_ids)
    return dict(zip(category_ids, own, strict=True))


def _rounded(result: CocoResult) -> dict[str, object]:
    kept = {key: value for key, value in result.items() if key != "image_id"}
    return {**kept, "bbox": [round(v, 2) for v in result["bbox"]], "score": round(result["score"], 6)}
