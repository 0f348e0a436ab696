"""Preprocessing by a Hugging Face image processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from PIL import Image

from adapt_vision_mm.image_classification.transforms import Transforms, augmented, interpolation_of

if TYPE_CHECKING:
    from transformers.image_processing_utils import BaseImageProcessor

    from adapt_vision_mm.image_classification.params import Augmentation


class ProcessorTransform:
    """A Hugging Face image processor as a transform.

    Args:
        processor: the image processor.
        options: arguments of each call.
    """

    def __init__(self, processor: BaseImageProcessor, **options: bool) -> None:
        self._processor = processor
        self._options = options

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._processor.to_json_string()}, {self._options})"

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """Return the pixels of one image, (3, height, width)."""
        batch = self._processor(images=image, return_tensors="pt", **self._options)
        values: torch.Tensor = batch["pixel_values"][0]
        return values


def processor_transforms(processor: BaseImageProcessor, augmentation: Augmentation | None) -> Transforms:
    """Return the transforms of an image processor.

    Args:
        processor: the image processor.
        augmentation: of the training images; None for none. They keep the size that the processor returns.
    """
    evaluate = ProcessorTransform(processor)
    if augmentation is None:
        return Transforms(evaluate, evaluate)
    height, width = evaluate(Image.new("RGB", (640, 480))).shape[-2:]
    rest = ProcessorTransform(processor, do_resize=False, do_center_crop=False)
    return Transforms(augmented(augmentation, (height, width), interpolation_of(processor), rest), evaluate)
