"""transformers' Trainer on images: random crops by epoch, and models that take a tensor and return one."""

from __future__ import annotations

from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from adapt_core.errors import InputError

from adapt_vision_mm.image_classification.dataset import ImageDataset

_ROUNDING = 1e-6
_ONE_VALUE = "Expected more than 1 value per channel when training"


class TellEpoch(TrainerCallback):
    """Tells the training images which epoch they are read for, before its loading processes start."""

    def __init__(self, images: ImageDataset) -> None:
        self._images = images

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._images.set_epoch(int((state.epoch or 0.0) + _ROUNDING))


class ImageTrainer(Trainer):
    """A Trainer whose training images know the epoch, and come in the type of the model's weights."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.train_dataset, ImageDataset):
            self.add_callback(TellEpoch(self.train_dataset))

    def _prepare_inputs(self, inputs: Any) -> Any:
        prepared = super()._prepare_inputs(inputs)
        dtype = next(p.dtype for p in self.model.parameters() if p.dtype.is_floating_point)
        return {**prepared, "pixel_values": prepared["pixel_values"].to(dtype)}


class TimmTrainer(ImageTrainer):
    """A Trainer for models that map images (rows, 3, height, width) to logits (rows, classes)."""

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        rows = len(self.train_dataset) if isinstance(self.train_dataset, ImageDataset) else 0

        def with_names(pixel_values: torch.Tensor, **_: Any) -> dict[str, torch.Tensor]:
            try:
                return {"logits": model(pixel_values)}
            except ValueError as error:
                if _ONE_VALUE not in str(error):
                    raise
                raise InputError(
                    f"BatchNorm cannot train on a batch of {len(pixel_values)} at this image size: the {rows} "
                    f"training images leave one over. Change BATCH_SIZE ({self.args.train_batch_size})."
                ) from None

        return super().compute_loss(with_names, inputs, *args, **kwargs)
