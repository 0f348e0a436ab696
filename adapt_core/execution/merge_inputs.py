"""A small batch on which a finished run's merge is checked."""

from __future__ import annotations

import torch
from torch import nn

from adapt_core.capabilities import SupportsBatchPreview
from adapt_core.contracts import Task, TaskData

_ROWS, _TOKENS = 4, 16


def merge_inputs(task: Task, data: TaskData, model: nn.Module) -> tuple[dict[str, torch.Tensor] | None, str]:
    """Return a small batch for a model of a finished run, and its source.

    Args:
        task: the run's task.
        data: the run's data.
        model: the plain base model.

    Returns:
        keyword inputs from the training split where the task makes batches of it, else random token ids or pixels for
        a Hugging Face model, else None.
    """
    if isinstance(task, SupportsBatchPreview) and data.train is not None:
        return {name: tensor[:_ROWS] for name, tensor in task.largest_batch(data).items()}, "training"
    return _random_inputs(model), "random"


def _random_inputs(model: nn.Module) -> dict[str, torch.Tensor] | None:
    config = getattr(model, "config", None)
    name = getattr(model, "main_input_name", None)
    generator = torch.Generator().manual_seed(0)
    words = getattr(config, "vocab_size", None)
    if name == "input_ids" and words:
        ids = torch.randint(words, (_ROWS, _TOKENS), generator=generator)
        decoder = {"decoder_input_ids": ids} if getattr(config, "is_encoder_decoder", False) else {}
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **decoder}
    size = getattr(config, "image_size", None)
    if name == "pixel_values" and isinstance(size, int):
        shape = (_ROWS, getattr(config, "num_channels", 3), size, size)
        return {"pixel_values": torch.randn(shape, generator=generator)}
    return None
