"""What a detector's forward pass keeps for its backward pass."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dataset import pseudo_collate

from adapt_core.evidence import spread
from adapt_core.random_state import untouched_random_state

from adapt_vision_mm.openmmlab.parts import quiet_warnings


def kept_bytes(model: Any, dataset: Any, measured: int, batch_size: int) -> int:
    """Bytes that autograd keeps of a batch, from a smaller one. The model is as it was afterwards.

    Args:
        model: an mmengine model in training mode, on the CPU.
        dataset: the training split.
        measured: pictures of the forward pass.
        batch_size: pictures of the batch that is asked about.
    """
    own = {tensor.untyped_storage()._cdata for tensor in [*model.parameters(), *model.buffers()]}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage()._cdata not in own:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    buffers = {name: tensor.clone() for name, tensor in model.named_buffers()}
    batch = pseudo_collate([dataset[place] for place in spread(len(dataset), measured)])
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with untouched_random_state(), quiet_warnings(), hooks:
        losses = model._run_forward(model.data_preprocessor(batch, True), mode="loss")
    total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del losses
    for name, tensor in model.named_buffers():
        tensor.copy_(buffers[name])
    return round(total / measured * batch_size)
