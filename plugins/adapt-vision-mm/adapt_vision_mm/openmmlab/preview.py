"""Pictures with what is annotated and found: of validation for the report, of training for `adapt check`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate

from adapt_core.evaluation import spread

from adapt_vision_mm.annotations.results import encoded_masks
from adapt_vision_mm.images.thumbnails import downscale, read_pixels, render_grid, to_data_uri
from adapt_vision_mm.openmmlab.availability import quiet_warnings

LONGEST = 400
"""Longer side of a shown picture in pixels."""

Draw = Callable[[torch.Tensor, Sequence[Mapping[str, Any]], float], torch.Tensor]
"""(image, COCO annotations or results, scale) -> the image with them on it."""


def validation_samples(
    model: Any,
    dataset: Any,
    count: int,
    results: Callable[[Any, Any], list[dict[str, Any]]],
    draw: Draw,
    threshold: float,
) -> list[dict[str, Any]]:
    """At most `count` pictures: {"input": file name, "expected", "predicted": pictures with what is there}.

    Args:
        model: an mmengine model in evaluation mode.
        dataset: the validation split, whose items may be pictures or parts of them.
        count: how many pictures.
        results: (data sample of the model, data set) -> its predictions as COCO results.
        draw: puts annotations or results on an image.
        threshold: least score of what is drawn.
    """
    pictures = dataset.annotated.pictures
    chosen = [pictures[number] for number in spread(len(pictures), count)]
    wanted = {picture.id for picture in chosen}
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    with quiet_warnings():
        for place, info in enumerate(dataset.data_list):
            if info["img_id"] in wanted:
                for sample in model.val_step(pseudo_collate([dataset[place]])):
                    found[info["img_id"]] += results(sample, dataset)
    shown = []
    for picture in chosen:
        image, scale = downscale(read_pixels(picture.path, as_stored=picture.as_stored), LONGEST)
        sure = [result for result in found[picture.id] if result["score"] >= threshold]
        truth = to_data_uri(draw(image, picture.annotations, scale))
        shown.append(
            {"input": picture.path.name, "expected": truth, "predicted": to_data_uri(draw(image, sure, scale))}
        )
    return shown


def training_pictures(dataset: Any, count: int, draw: Callable[[torch.Tensor, Any], torch.Tensor]) -> bytes:
    """A few items of the training split behind their pipeline, as a PNG.

    Args:
        dataset: the training split.
        count: how many items.
        draw: (uint8 RGB (3, height, width), data sample) -> the image with what the sample holds.
    """
    shown, captions = [], []
    for place in spread(len(dataset), count):
        item = dataset[place]
        image = item["inputs"].flip(0).contiguous()  # mmdet and mmpose hold BGR
        drawn, _ = downscale(draw(image, item["data_samples"]), LONGEST)
        shown.append(drawn)
        captions.append(Path(dataset.data_list[place]["img_path"]).name)
    return render_grid(shown, captions)


def objects_of(sample: Any, masks: bool) -> list[dict[str, Any]]:
    """What an mmdet data sample is trained on, in COCO's terms with a label.

    Args:
        sample: with `gt_instances`.
        masks: whether there are masks.
    """
    there = sample.gt_instances
    boxes = getattr(there.bboxes, "tensor", there.bboxes).tolist()
    objects = [
        {"label": int(label), "bbox": [x, y, right - x, bottom - y]}
        for (x, y, right, bottom), label in zip(boxes, there.labels, strict=True)
    ]
    if masks:
        encoded = encoded_masks(torch.from_numpy(there.masks.to_ndarray()))
        objects = [{**item, "segmentation": mask} for item, mask in zip(objects, encoded, strict=True)]
    return objects
