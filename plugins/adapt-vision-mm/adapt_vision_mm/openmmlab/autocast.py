"""bfloat16 mixed precision on any device (mmengine's own wrapper needs a GPU and scales gradients)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """An OptimWrapper whose forward passes run under bfloat16 autocast."""

    def __init__(self, *args: object, device: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._device = device

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run one forward pass under autocast within a context."""
        with super().optim_context(model), torch.autocast(self._device, torch.bfloat16):
            yield
