"""What a base model makes of images, as its head gets it: features for checks of the data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy
import torch

from adapt_core.contracts import CheckSkipped
from adapt_core.nn.modes import evaluation_mode

from adapt_vision_mm.image_classification.collate import collate
from adapt_vision_mm.image_classification.dataset import ImageDataset

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

_BATCH = 16

Inputs = Callable[[Mapping[str, torch.Tensor]], Mapping[str, torch.Tensor]]
"""A batch -> the keyword arguments of the model's `forward`."""


def frozen_features(
    model: nn.Module, head: str, images: ImageDataset, positions: Sequence[int], inputs: Inputs, seconds: float
) -> NDArray[numpy.float32]:
    """Return the inputs of a model's head for images: an array (images, width).

    Args:
        model: with its head; its mode is restored.
        head: the name of the head's first module.
        images: with a transform that is not random.
        positions: of the images.
        inputs: see `Inputs`.
        seconds: that it may take.

    Raises:
        CheckSkipped: by the time of the first batches it would take longer.
    """
    found: list[torch.Tensor] = []

    def keep(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        value = arguments[0].detach().float()
        if value.dim() == 4:  # a map (images, channels, height, width)
            value = value.mean(dim=(2, 3))
        found.append((value.mean(dim=1) if value.dim() == 3 else value).cpu())

    first = next(model.parameters())
    start = time.monotonic()
    handle = model.get_submodule(head).register_forward_pre_hook(keep)
    try:
        with evaluation_mode(model), torch.inference_mode():
            for number in range(0, len(positions), _BATCH):
                rows = [images[position] for position in positions[number : number + _BATCH]]
                batch = inputs(collate(rows))
                tensors = {name: tensor.to(first.device) for name, tensor in batch.items() if name != "labels"}
                model(**{name: t.to(first.dtype) if t.is_floating_point() else t for name, t in tensors.items()})
                spent = time.monotonic() - start
                if number and spent / (number + _BATCH) * len(positions) > seconds:
                    raise CheckSkipped(
                        f"the base model would take about {spent / (number + _BATCH) * len(positions):.0f} s on "
                        f"{len(positions)} images, more than the {seconds:.0f} s that are left of VERDICT_SECONDS"
                    )
    finally:
        handle.remove()
    return torch.cat(found).numpy()
