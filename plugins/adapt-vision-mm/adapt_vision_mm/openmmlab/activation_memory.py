"""What a detector's forward pass keeps for its backward pass."""

from __future__ import annotations

from typing import Any

from mmengine.dataset import pseudo_collate

from adapt_core.config.core_params import TrainingParams
from adapt_core.estimate.activations import Kept, own_storages
from adapt_core.evaluation import spread
from adapt_core.nn.random_state import untouched_random_state

from adapt_vision_mm.openmmlab.activation_checkpointing import recomputed
from adapt_vision_mm.openmmlab.availability import quiet_warnings


def kept_bytes(model: Any, dataset: Any, measured: int, training: TrainingParams) -> int:
    """Bytes that autograd keeps of a batch, from a smaller one. The model is as it was afterwards.

    Args:
        model: an mmengine model in training mode, on the CPU.
        dataset: the training split.
        measured: pictures of the forward pass.
        training: tells the pictures of the batch that is asked about, and whether stages are recomputed.
    """
    kept = Kept(own_storages(model))
    buffers = {name: tensor.clone() for name, tensor in model.named_buffers()}
    batch = pseudo_collate([dataset[place] for place in spread(len(dataset), measured)])
    recomputes = training.gradient_checkpointing
    with untouched_random_state(), quiet_warnings(), kept.counting(model, recomputes), recomputed(model, recomputes):
        losses = model._run_forward(model.data_preprocessor(batch, True), mode="loss")
    total = kept.bytes
    del losses, kept
    for name, tensor in model.named_buffers():
        tensor.copy_(buffers[name])
    return round(total / measured * training.batch_size)
