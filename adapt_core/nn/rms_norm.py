"""An RMS norm that keeps its input alone, and whose output need not be kept by what comes next."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

Parts = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]
"""A tensor; or the input, the weight and the scales of the rows of the norm that made it."""


_PARTS = "_parts_of_norm"
"""The attribute of a norm's output that holds its parts, and the version of the output: writing to it changes that."""


def rms_norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return `weight * x / sqrt(mean(x ** 2) + epsilon)` over the last dimension, and keep x and a number for each row.

    B. Zhang, R. Sennrich: Root Mean Square Layer Normalization. NeurIPS 2019.
    """
    with torch.no_grad():
        squares: torch.Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()
        scale = squares.div_(x.shape[-1]).add_(epsilon).rsqrt_()
    output: torch.Tensor = RmsNorm.apply(x, weight, scale)
    if torch.is_grad_enabled():
        setattr(output, _PARTS, ((x, weight, scale), output._version))
    return output


class RmsNorm(torch.autograd.Function):
    """`weight * x * scale`, where scale is that of `rms_norm`."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight, scale)
        return whole(x, weight, scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        x, weight, scale = ctx.saved_tensors
        width = x.shape[-1]
        products = slope * x
        shared = (products @ weight)[..., None] * scale.square() / -width
        of_weight = scale.flatten() @ products.reshape(-1, width) if ctx.needs_input_grad[1] else None
        of_x = torch.mul(slope, weight, out=products).addcmul_(x, shared).mul_(scale)
        return of_x, of_weight, None


def parts_of(x: torch.Tensor) -> Parts:
    """Return what a function of autograd keeps for its backward pass in place of x.

    The output of `rms_norm` is computed again of what the norm keeps anyway.
    """
    parts, version = getattr(x, _PARTS, (None, None))
    return (x, None, None) if parts is None or version != x._version else parts


def whole(x: torch.Tensor, weight: torch.Tensor | None, scale: torch.Tensor | None) -> torch.Tensor:
    """Return the tensor of which these are the parts, bit by bit."""
    return x if weight is None or scale is None else (x * scale).mul_(weight)
