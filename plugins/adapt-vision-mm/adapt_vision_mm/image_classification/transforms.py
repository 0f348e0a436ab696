"""Images into the tensors that a model was pretrained on, and the random crops of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torchvision.transforms import (
    Compose,
    InterpolationMode,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    ToTensor,
)

from adapt_core.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""Pillow's numbers, which image processors hold, to names."""


@attrs.frozen
class Transforms:
    """What turns an RGB image into a float tensor (3, height, width), for training and for evaluation."""

    train: Any
    evaluate: Any


def timm_transforms(config: Mapping[str, Any], augmentation: bool) -> Transforms:
    """By timm's data config (`input_size`, `interpolation`, `mean`, `std`, `crop_pct`, `crop_mode`).

    Training crops 8 to 100 % of the area and mirrors every other image, as is usual since Szegedy et al. (2015).
    """
    from timm.data import create_transform

    evaluate = create_transform(**config, is_training=False)
    if not augmentation:
        return Transforms(evaluate, evaluate)
    size = tuple(config["input_size"][1:])
    interpolation = InterpolationMode(config["interpolation"])
    normalize = Normalize(mean=config["mean"], std=config["std"])
    train = Compose(
        [RandomResizedCrop(size, interpolation=interpolation), RandomHorizontalFlip(), ToTensor(), normalize]
    )
    return Transforms(train, evaluate)


class Processed:
    """A Hugging Face image processor as a transform.

    Args:
        processor: the processor.
        options: arguments of each call.
    """

    def __init__(self, processor: Any, **options: Any) -> None:
        self._processor = processor
        self._options = options

    def __call__(self, image: Image) -> torch.Tensor:
        """One image, (3, height, width)."""
        batch = self._processor(images=image, return_tensors="pt", **self._options)
        values: torch.Tensor = batch["pixel_values"][0]
        return values


def processor_transforms(processor: Any, augmentation: bool) -> Transforms:
    """By a Hugging Face image processor; training crops and mirrors as `timm_transforms` does, to the same size."""
    from PIL import Image

    evaluate = Processed(processor)
    if not augmentation:
        return Transforms(evaluate, evaluate)
    size = tuple(evaluate(Image.new("RGB", (640, 480))).shape[-2:])
    number = getattr(processor, "resample", None)
    interpolation = InterpolationMode(_RESAMPLE[int(number) if number is not None else 3])
    rest = Processed(processor, do_resize=False, do_center_crop=False)
    train = Compose([RandomResizedCrop(size, interpolation=interpolation), RandomHorizontalFlip(), rest])
    return Transforms(train, evaluate)


def timm_config_of(processor: Any, named: str) -> dict[str, Any]:
    """timm's data config with the numbers of a Hugging Face image processor.

    Args:
        processor: an image processor.
        named: what to call it in messages.

    Raises:
        InputError: it holds no size.
    """
    size = _mapping(processor.size)
    crop = _mapping(getattr(processor, "crop_size", None)) if getattr(processor, "do_center_crop", False) else {}
    shortest = size.get("shortest_edge")
    height = crop.get("height") or size.get("height") or shortest
    width = crop.get("width") or size.get("width") or shortest
    if not height or not width:
        raise InputError(f"image_processor_path: {named} holds no size ({size}).")
    share = getattr(processor, "crop_pct", None)
    if share is None:
        share = height / shortest if shortest else 1.0
    resample = getattr(processor, "resample", None)
    normalizes = getattr(processor, "do_normalize", True)
    return {
        "input_size": (3, int(height), int(width)),
        "interpolation": _RESAMPLE[int(resample) if resample is not None else 3],
        "mean": tuple(processor.image_mean) if normalizes else (0.0, 0.0, 0.0),
        "std": tuple(processor.image_std) if normalizes else (1.0, 1.0, 1.0),
        "crop_pct": float(share),
        "crop_mode": "squash" if "height" in size and not crop else "center",
    }


def _mapping(size: Any) -> dict[str, Any]:
    if size is None:
        return {}
    items = dict(size) if isinstance(size, Mapping) else vars(size)
    return {key: value for key, value in items.items() if value is not None}
