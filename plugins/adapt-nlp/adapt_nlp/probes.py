"""What the probes of a model share: they ask it about a few tokens before it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from adapt_core.nn.modes import evaluation_mode

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)
"""What a third-party model may raise for inputs that it does not support."""


def ask(model: nn.Module, inputs: Mapping[str, torch.Tensor], **options: Any) -> Any:
    """Return a model's outputs in evaluation mode, without gradients.

    Args:
        model: left as it is, on any device.
        inputs: by name, on any device.
        options: further arguments of its forward pass.
    """
    device = next(model.parameters()).device
    with torch.no_grad(), evaluation_mode(model):
        return model(**{name: tensor.to(device) for name, tensor in inputs.items()}, **options)
