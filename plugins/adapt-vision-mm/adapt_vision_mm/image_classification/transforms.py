"""Images into the tensors that a model takes: what the preprocessing of all backends has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import torch
from torchvision.transforms import (
    Compose,
    InterpolationMode,
    RandAugment,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers.image_processing_utils import BaseImageProcessor

    from adapt_vision_mm.image_classification.params import Augmentation

Transform = Callable[["Image"], torch.Tensor]
"""RGB image -> float tensor (3, height, width)."""

_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""Pillow's numbers, which image processors store -> names."""


@attrs.frozen
class Transforms:
    """The transforms for training and for evaluation."""

    train: Transform
    evaluate: Transform


def interpolation_of(processor: BaseImageProcessor) -> str:
    """Return the name of an image processor's interpolation (default: bicubic)."""
    number = getattr(processor, "resample", None)
    return _RESAMPLE[int(number) if number is not None else 3]


def augmented(
    augmentation: Augmentation, size: tuple[int, int], interpolation: str, *rest: Callable[..., object]
) -> Transform:
    """Return a transform that crops 8 to 100 % of the area at random, mirrors every other image, and goes on with rest.

    The usual augmentation since Szegedy et al. (2015), "Going deeper with convolutions"; where they are wanted, with
    RandAugment (Cubuk et al., 2020, arXiv:1909.13719) and random erasing (Zhong et al., 2020, arXiv:1708.04896). All
    draw from torch's random state, by which a row's view in an epoch is the same in any loading process.

    Args:
        augmentation: what comes on top.
        size: (height, width) that crops are resized to.
        interpolation: its name, as torchvision's `InterpolationMode` has it.
        rest: transforms that follow, of which the last returns the tensor.
    """
    steps = [RandomResizedCrop(size, interpolation=InterpolationMode(interpolation)), RandomHorizontalFlip()]
    if augmentation.magnitude is not None:
        steps.append(RandAugment(magnitude=augmentation.magnitude))
    erasing = [RandomErasing(augmentation.erasing, value="random")] if augmentation.erasing else []
    transform: Transform = Compose([*steps, *rest, *erasing])
    return transform


def unmirrored(transform: Transform) -> Transform:
    """Return what `augmented` returned, without its mirroring; other transforms stay as they are."""
    if not isinstance(transform, Compose):
        return transform
    kept: Transform = Compose([step for step in transform.transforms if not isinstance(step, RandomHorizontalFlip)])
    return kept
