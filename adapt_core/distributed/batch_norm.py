"""Running statistics of batch norms in several processes, each of which trains on its own rows."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def broadcast_batch_norm_buffers(model: nn.Module, world_size: int) -> None:
    """Give every process rank 0's running means and variances: its model is the one that is saved.

    So what all processes measure together is that model, and rank 0 trains on as if nothing had been measured. In
    training itself the statistics play no part. Every process must call it.
    """
    if world_size == 1:
        return
    for module in model.modules():
        if isinstance(module, _NormBase):
            for statistic in module.buffers(recurse=False):
                torch.distributed.broadcast(statistic, src=0)
