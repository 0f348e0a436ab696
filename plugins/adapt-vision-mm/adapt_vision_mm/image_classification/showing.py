"""Images for the report and for `adapt check`: as they lie with what the model says, and as the model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torchvision.transforms.functional import pil_to_tensor

from adapt_core.evaluation import spread

from adapt_vision_mm.image_classification.dataset import ImageDataset
from adapt_vision_mm.images.thumbnails import downscale, render_grid, to_data_uri

if TYPE_CHECKING:
    from torch import nn

LONGEST = 224
"""Longer side of a shown image in pixels."""


def validation_samples(
    model: nn.Module, images: ImageDataset, names: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """At most `count` images: {"input": the image, "expected": its class, "predicted": the model's with its score}.

    Args:
        model: in evaluation mode; returns logits, or an output that holds them as `logits`.
        images: the validation split.
        names: classes by id.
        count: how many images.
    """
    rows = spread(len(images), count)
    parameter = next(p for p in model.parameters() if p.dtype.is_floating_point)
    pixels = torch.stack([images[row]["pixel_values"] for row in rows]).to(parameter.device, parameter.dtype)
    output = model(pixels)
    scores, best = getattr(output, "logits", output).float().softmax(dim=-1).max(dim=-1)
    return [
        {
            "input": to_data_uri(downscale(pil_to_tensor(images.image(row)), LONGEST)[0]),
            "expected": names[images.labels[row]],
            "predicted": f"{names[number]} ({score:.2f})",
        }
        for row, number, score in zip(rows, best.tolist(), scores.tolist(), strict=True)
    ]


def training_images(images: ImageDataset, names: Sequence[str], count: int) -> bytes:
    """A few training images behind their transform, each with its class below, as a PNG.

    Each is spread over the whole range of brightness, since the transform leaves values around zero.
    """
    examples = [images[row] for row in spread(len(images), count)]
    shown = []
    for example in examples:
        pixels = example["pixel_values"].float()
        low, high = pixels.min(), pixels.max()
        shown.append(((pixels - low) / (high - low).clamp(min=1e-6) * 255).to(torch.uint8))
    return render_grid(shown, [names[example["labels"]] for example in examples])
