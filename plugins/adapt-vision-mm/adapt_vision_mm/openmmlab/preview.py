"""Images with annotations and predictions: of validation for the report, of training for `adapt check`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.dataset import pseudo_collate

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import spread

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, CocoResult
from adapt_vision_mm.images.captions import draw_note
from adapt_vision_mm.images.thumbnails import downscale, read_pixels, render_grid, to_data_uri
from adapt_vision_mm.openmmlab.availability import quiet_warnings
from adapt_vision_mm.openmmlab.contracts import MmDataset, Renderer, Scorer

if TYPE_CHECKING:
    from mmengine.model import BaseModel

LONGEST = 400
"""Longer side of a drawn image in pixels."""


def validation_samples(
    model: BaseModel,
    dataset: MmDataset,
    count: int,
    scorer: Scorer,
    renderer: Renderer,
    least: Callable[[CocoResult], float],
) -> list[dict[str, Any]]:
    """Return at most `count` images: {"input": file name, "expected", "predicted": images as data URIs, "found"}.

    Args:
        model: in evaluation mode.
        dataset: the validation split, whose items are images or instances.
        count: how many images.
        scorer: makes results of the model's predictions.
        renderer: draws annotations and results.
        least: the smallest score with which a prediction is drawn.
    """
    split = dataset.annotated
    chosen = [split.images[number] for number in spread(len(split.images), count)]
    wanted = {image.id for image in chosen}
    found: dict[int, list[CocoResult]] = defaultdict(list)
    with quiet_warnings():
        for index, info in enumerate(dataset.data_list):
            if info["img_id"] in wanted:
                for sample in model.val_step(pseudo_collate([dataset[index]])):
                    found[info["img_id"]] += scorer.to_results(sample, split)
    samples = []
    for image in chosen:
        sure = [result for result in found[image.id] if result["score"] >= least(result)]
        samples.append({**_drawn(image, sure, split, renderer), "found": len(sure)})
    return samples


def evaluated_images(
    split: AnnotatedSplit,
    rows: EvaluatedRows,
    positions: Sequence[int],
    renderer: Renderer,
    least: Callable[[CocoResult], float],
) -> list[dict[str, Any]]:
    """Return images of an evaluation as `validation_samples` does: {"input", "expected", "predicted"}.

    Args:
        split: that was evaluated.
        rows: what was found of it, with the results of each image as `details`.
        positions: of the images.
        renderer, least: see `validation_samples`.
    """
    drawn = []
    for position in positions:
        results = [] if rows.details is None else rows.details[position]
        sure = [result for result in results if result["score"] >= least(result)]
        drawn.append(_drawn(split.images[position], sure, split, renderer))
    return drawn


def _drawn(
    image: AnnotatedImage, results: Sequence[CocoResult], split: AnnotatedSplit, renderer: Renderer
) -> dict[str, Any]:
    pixels, scale = downscale(read_pixels(image.path, as_stored=image.as_stored), LONGEST)
    expected, predicted = (renderer.draw(pixels, objects, split, scale) for objects in (image.annotations, results))
    return {
        "input": image.path.name,
        "expected": to_data_uri(expected if image.annotations else draw_note(expected, "nothing annotated")),
        "predicted": to_data_uri(predicted if results else draw_note(predicted)),
    }


def training_preview(dataset: MmDataset, count: int, renderer: Renderer) -> bytes:
    """Return a few items of the training split after their pipeline, as a PNG.

    Args:
        dataset: the training split.
        count: how many items.
        renderer: draws the objects of a data sample.
    """
    drawn, captions = [], []
    for index in spread(len(dataset), count):
        item = dataset[index]
        pixels = item["inputs"].flip(0).contiguous()  # mmdet and mmpose have BGR
        drawn.append(downscale(renderer.draw_input(pixels, item["data_samples"], dataset.annotated), LONGEST)[0])
        captions.append(Path(dataset.data_list[index]["img_path"]).name)
    return render_grid(drawn, captions)
