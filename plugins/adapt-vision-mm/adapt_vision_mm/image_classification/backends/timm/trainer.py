"""The Trainer for timm models, which take a tensor and return one."""

from __future__ import annotations

import torch

from adapt_core.errors import InputError

from adapt_vision_mm.image_classification.dataset import ImageDataset
from adapt_vision_mm.image_classification.trainer import ImageTrainer

_ONE_VALUE = "Expected more than 1 value per channel when training"


class TimmTrainer(ImageTrainer):
    """A Trainer for models that map images (rows, 3, height, width) to logits (rows, classes)."""

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, dict[str, torch.Tensor]]:
        rows = len(self.train_dataset) if isinstance(self.train_dataset, ImageDataset) else 0

        def with_names(pixel_values: torch.Tensor, **_: object) -> dict[str, torch.Tensor]:
            try:
                return {"logits": model(pixel_values)}
            except ValueError as error:
                if _ONE_VALUE not in str(error):
                    raise
                raise InputError(
                    f"BatchNorm cannot train on a batch of {len(pixel_values)} at this image size: the {rows} "
                    f"training images leave one over. Change BATCH_SIZE ({self.args.train_batch_size})."
                ) from None

        loss: torch.Tensor | tuple[torch.Tensor, dict[str, torch.Tensor]] = super().compute_loss(
            with_names, inputs, return_outputs, num_items_in_batch
        )
        return loss
