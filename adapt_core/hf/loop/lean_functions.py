"""A gated product, with and without the linear layer behind it: they keep only their inputs.

What lies between is computed again there, as in Liger Kernel (Hsu et al., 2024, https://arxiv.org/abs/2410.10989).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

Activation = Callable[[torch.Tensor], torch.Tensor]


class GatedProduct(torch.autograd.Function):
    """`activation(gate) * up`, which keeps gate and up."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor, activation: Activation) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        ctx.activation = activation
        return _product(gate, up, activation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        gate, up = ctx.saved_tensors
        leaf, active = _active(gate, ctx.activation)
        (of_gate,) = torch.autograd.grad(active, leaf, slope * up)
        return of_gate, slope * active.detach(), None


class GatedLinear(torch.autograd.Function):
    """`linear(activation(gate) * up, weight, bias)`, which keeps gate and up."""

    @staticmethod
    def forward(
        ctx: Any,
        gate: torch.Tensor,
        up: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        activation: Activation,
    ) -> torch.Tensor:
        ctx.save_for_backward(gate, up, weight)
        ctx.activation = activation
        return linear(_product(gate, up, activation), weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        gate, up, weight = ctx.saved_tensors
        _, _, wants_weight, wants_bias, _ = ctx.needs_input_grad
        leaf, active = _active(gate, ctx.activation)
        rows = slope.reshape(-1, slope.shape[-1])
        of_weight = None
        of_product = slope @ weight
        if wants_weight:
            of_weight = rows.T @ (active.detach() * up).reshape(-1, up.shape[-1])
        of_up = of_product * active.detach()
        (of_gate,) = torch.autograd.grad(active, leaf, of_product.mul_(up))
        return of_gate, of_up, of_weight, rows.sum(0) if wants_bias else None, None


def _product(gate: torch.Tensor, up: torch.Tensor, activation: Activation) -> torch.Tensor:
    active = activation(gate)
    if active is gate:  # The activation is none at all, and the gate is still needed.
        return active * up
    return active.mul_(up)


def _active(gate: torch.Tensor, activation: Activation) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a leaf with the values of a gate, and the activation of it with a graph."""
    with torch.enable_grad():
        leaf = gate.detach().requires_grad_()
        return leaf, activation(leaf)
