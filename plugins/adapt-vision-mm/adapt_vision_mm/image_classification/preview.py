"""Images for the report and for `adapt check`: with the model's prediction, and as the model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torchvision.transforms.functional import pil_to_tensor

from adapt_core.evaluation import Sample, spread

from adapt_vision_mm.image_classification.dataset import ImageDataset
from adapt_vision_mm.image_classification.predict import class_probabilities
from adapt_vision_mm.images.thumbnails import downscale, render_grid, to_data_uri

if TYPE_CHECKING:
    from torch import nn

LONGEST = 224
"""Longer side of an image in the report, in pixels."""


def validation_samples(model: nn.Module, images: ImageDataset, names: Sequence[str], count: int) -> list[Sample]:
    """Return a few validation images as data URIs, with their class and the predicted one with its probability.

    Args:
        model: in evaluation mode; see `class_probabilities`.
        images: the validation split.
        names: classes by id.
        count: how many images at most.
    """
    rows = spread(len(images), count)
    scores, best = class_probabilities(model, torch.stack([images[row]["pixel_values"] for row in rows])).max(dim=-1)
    return [
        {
            "input": to_data_uri(downscale(pil_to_tensor(images.image(row)), LONGEST)[0]),
            "expected": names[images.labels[row]],
            "predicted": f"{names[number]} ({score:.2f})",
            "right": bool(number == images.labels[row]),
        }
        for row, number, score in zip(rows, best.tolist(), scores.tolist(), strict=True)
    ]


def render_training_images(images: ImageDataset, names: Sequence[str], count: int) -> bytes:
    """Return a PNG of a few training images after their transform, each with its class below.

    Each image is scaled to the full range of brightness, since transforms return values around zero.
    """
    examples = [images[row] for row in spread(len(images), count)]
    shown = []
    for example in examples:
        pixels = example["pixel_values"].float()
        low, high = pixels.min(), pixels.max()
        shown.append(((pixels - low) / (high - low).clamp(min=1e-6) * 255).to(torch.uint8))
    return render_grid(shown, [names[example["labels"]] for example in examples])
