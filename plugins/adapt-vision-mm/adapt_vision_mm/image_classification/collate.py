"""Batches of image classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from adapt_vision_mm.image_classification.dataset import Example


def collate(examples: Sequence[Example]) -> dict[str, torch.Tensor]:
    """Stack examples into a batch: `pixel_values` (rows, 3, height, width) and `labels`.

    `labels` are class ids, int64 (rows,), or float32 (rows, labels or numbers).

    Examples whose frozen part is computed come without pixels.
    """
    batch = {"labels": torch.tensor([example["labels"] for example in examples])}
    if "pixel_values" in examples[0]:
        batch["pixel_values"] = torch.stack([example["pixel_values"] for example in examples])
    return batch
