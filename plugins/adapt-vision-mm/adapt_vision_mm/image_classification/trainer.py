"""The Trainer of image classification: random crops by epoch, mixed images, and pixels in the dtype of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from adapt_vision_mm.image_classification.dataset import ImageDataset

_ROUNDING = 1e-6


class EpochCallback(TrainerCallback):
    """Sets the epoch of the training images before their loading processes start."""

    def __init__(self, images: ImageDataset) -> None:
        self._images = images

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._images.set_epoch(int((state.epoch or 0.0) + _ROUNDING))


class ImageTrainer(Trainer):
    """A Trainer that sets the epoch of its training images, mixes them, and casts them to the dtype of the weights."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.train_dataset, ImageDataset):
            self.add_callback(EpochCallback(self.train_dataset))

    def training_step(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        mixing = self.train_dataset.mixing if isinstance(self.train_dataset, ImageDataset) else None
        if mixing is not None:
            inputs = mixing(inputs, self.state.global_step)
        loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)
        return loss

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        prepared = super()._prepare_inputs(inputs)
        dtype = next(p.dtype for p in self.model.parameters() if p.dtype.is_floating_point)
        return {**prepared, "pixel_values": prepared["pixel_values"].to(dtype)}
