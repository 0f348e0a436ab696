"""Preprocessing by timm's data config, which an image processor's numbers can replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from timm.data import create_transform
from torchvision.transforms import Normalize, ToTensor

from adapt_core.errors import InputError

from adapt_vision_mm.image_classification.transforms import Transforms, augmented, interpolation_of

if TYPE_CHECKING:
    from transformers.image_processing_utils import BaseImageProcessor

    from adapt_vision_mm.image_classification.params import Augmentation


def timm_transforms(config: Mapping[str, Any], augmentation: Augmentation | None) -> Transforms:
    """Return the transforms of a timm data config.

    Args:
        config: `input_size`, `interpolation`, `mean`, `std`, `crop_pct`, `crop_mode`.
        augmentation: of the training images; None for none.
    """
    evaluate = create_transform(**config, is_training=False)
    if augmentation is None:
        return Transforms(evaluate, evaluate)
    _, height, width = config["input_size"]
    normalize = Normalize(mean=config["mean"], std=config["std"])
    train = augmented(augmentation, (height, width), config["interpolation"], ToTensor(), normalize)
    return Transforms(train, evaluate)


def processor_config(processor: BaseImageProcessor, named: str) -> dict[str, Any]:
    """Return the timm data config with the numbers of a Hugging Face image processor.

    Args:
        processor: the image processor.
        named: its name in messages.

    Raises:
        InputError: it has no size.
    """
    size = _edges(processor.size)
    crop = _edges(getattr(processor, "crop_size", None)) if getattr(processor, "do_center_crop", False) else {}
    shortest = size.get("shortest_edge")
    height = crop.get("height") or size.get("height") or shortest
    width = crop.get("width") or size.get("width") or shortest
    if not height or not width:
        raise InputError(f"image_processor_path: {named} has no usable size ({size}). Set its size.")
    share = getattr(processor, "crop_pct", None)
    if share is None:
        share = height / shortest if shortest else 1.0
    normalizes = getattr(processor, "do_normalize", True)
    return {
        "input_size": (3, int(height), int(width)),
        "interpolation": interpolation_of(processor),
        "mean": tuple(processor.image_mean) if normalizes else (0.0, 0.0, 0.0),
        "std": tuple(processor.image_std) if normalizes else (1.0, 1.0, 1.0),
        "crop_pct": float(share),
        "crop_mode": "squash" if "height" in size and not crop else "center",
    }


def _edges(size: Mapping[str, int] | object | None) -> dict[str, int]:
    """Return the given edges of a size: a mapping, or transformers' `SizeDict`, which is a dataclass."""
    if size is None:
        return {}
    items = dict(size) if isinstance(size, Mapping) else vars(size)
    return {key: value for key, value in items.items() if value is not None}
