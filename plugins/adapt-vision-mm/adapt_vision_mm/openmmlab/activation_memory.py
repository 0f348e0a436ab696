"""Bytes that a forward pass keeps for its backward pass, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmengine.dataset import pseudo_collate

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.estimate.activations import Kept, Recomputed, own_storages
from adapt_core.evaluation import spread
from adapt_core.nn.random_state import untouched_random_state

from adapt_vision_mm.openmmlab.activation_checkpointing import checkpointed_activations
from adapt_vision_mm.openmmlab.availability import quiet_warnings
from adapt_vision_mm.openmmlab.contracts import MmDataset

if TYPE_CHECKING:
    from mmengine.model import BaseModel


def activation_bytes(model: BaseModel, dataset: MmDataset, measured: int, training: TrainingParams) -> int:
    """Return the bytes that autograd keeps of a batch, measured on a smaller one. The model is left unchanged.

    Args:
        model: an mmengine model in training mode, on the CPU.
        dataset: the training split.
        measured: images of the forward pass.
        training: BATCH_SIZE and GRADIENT_CHECKPOINTING.
    """
    kept = Kept(own_storages(model))
    buffers = {name: tensor.clone() for name, tensor in model.named_buffers()}
    batch = pseudo_collate([dataset[index] for index in spread(len(dataset), measured)])
    with (
        untouched_random_state(),
        quiet_warnings(),
        kept.counting(model, Recomputed.of(training)),
        checkpointed_activations(model, enabled=training.gradient_checkpointing),
    ):
        losses = model._run_forward(model.data_preprocessor(batch, True), mode="loss")
    total = kept.bytes
    del losses, kept
    for name, tensor in model.named_buffers():
        tensor.copy_(buffers[name])
    return round(total / measured * training.batch_size)
