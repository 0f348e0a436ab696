"""Running statistics of batch norms, estimated again for weights that no training step has run with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from adapt_core.nn.modes import evaluation_mode

STATISTICS = ("running_mean", "running_var")


def batch_norms(model: nn.Module) -> dict[str, _NormBase]:
    """Return the batch norms of a model that keep statistics, by their names."""
    found = ((name, module) for name, module in model.named_modules() if isinstance(module, _NormBase))
    return {name: module for name, module in found if module.running_mean is not None}


@contextmanager
def estimated_anew(model: nn.Module, names: Iterable[str]) -> Iterator[None]:
    """Let batch norms take the mean of the statistics of all batches that pass through the model inside the block.

    The rest of the model is in evaluation mode, without dropout, and nothing has a gradient. As
    `torch.optim.swa_utils.update_bn` does (Izmailov et al., 2018, arXiv:1803.05407), which puts the whole model into
    training mode.

    Args:
        model: whose batch norms they are.
        names: of the batch norms; the others keep their statistics.
    """
    chosen = [module for name, module in batch_norms(model).items() if name in set(names)]
    momenta = [module.momentum for module in chosen]
    with torch.no_grad(), evaluation_mode(model):
        for module in chosen:
            module.reset_running_stats()
            module.momentum = None  # the mean over batches
            module.train()
        try:
            yield
        finally:
            for module, momentum in zip(chosen, momenta, strict=True):
                module.momentum = momentum
