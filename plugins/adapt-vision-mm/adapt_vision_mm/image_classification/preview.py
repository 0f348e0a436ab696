"""Images for the report and for `adapt check`: with the model's prediction, and as the model sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from adapt_core.evaluation import spread

from adapt_vision_mm.image_classification.collate import collate
from adapt_vision_mm.image_classification.dataset import ImageDataset
from adapt_vision_mm.image_classification.predict import image_logits
from adapt_vision_mm.images.thumbnails import downscale, render_grid, to_data_uri

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.hf.problems.problem import Problem

    from adapt_vision_mm.image_classification.transforms import Transform

_RANDOM = 4

LONGEST = 224
"""Longer side of an image in the report, in pixels."""


def validation_samples(model: nn.Module, images: ImageDataset, problem: Problem, count: int) -> list[dict[str, Any]]:
    """Return a few validation images as data URIs, with what was expected and what the model says.

    Args:
        model: in evaluation mode; see `image_logits`.
        images: the validation split.
        problem: of the run.
        count: how many images at most.
    """
    rows = spread(len(images), count)
    found = problem.outcomes(image_logits(model, torch.stack([images[row]["pixel_values"] for row in rows])))
    return [
        {
            "input": thumbnail,
            **problem.sample(images.labels[row], outcome),
        }
        for row, outcome, thumbnail in zip(rows, found, thumbnails(images, rows), strict=True)
    ]


def spread_images(images: ImageDataset, rows: int, size: int) -> list[Mapping[str, torch.Tensor]]:
    """Return at most `rows` evenly spaced images of a split in batches of `size`."""
    chosen = spread(len(images), rows)
    return [collate([images[row] for row in chosen[start : start + size]]) for start in range(0, len(chosen), size)]


def thumbnails(images: ImageDataset, rows: Sequence[int]) -> list[str]:
    """Return images of a split as small data URIs."""
    return [to_data_uri(downscale(pil_to_tensor(images.image(row)), LONGEST)[0]) for row in rows]


def render_training_images(images: ImageDataset, problem: Problem, count: int) -> bytes:
    """Return a PNG of a few training images after their transform, each with its labels or numbers below.

    Each image is scaled to the full range of brightness, since transforms return values around zero.
    """
    examples = [images[row] for row in spread(len(images), count)]
    shown = []
    for example in examples:
        pixels = example["pixel_values"].float()
        low, high = pixels.min(), pixels.max()
        shown.append(((pixels - low) / (high - low).clamp(min=1e-6) * 255).to(torch.uint8))
    return render_grid(shown, [", ".join(problem.expected(example["labels"])) for example in examples])


def random_images(transform: Transform) -> dict[str, torch.Tensor]:
    """Return a batch of a few images of noise, the same ones at each call."""
    pixels = numpy.random.default_rng(0).integers(0, 256, (_RANDOM, 64, 64, 3), dtype=numpy.uint8)
    return collate([{"pixel_values": transform(Image.fromarray(image)), "labels": 0} for image in pixels])
