"""LoRA's and DoRA's linear layers as functions of autograd, each with the frozen layer under it.

They keep the input (of a norm's output what the norm keeps of it), the product of rank r and a bit for each dropped
number; DoRA also what its magnitudes multiply. Without dropout, and with rows enough, the update is added to the
weight: `B A` is less work then than its factors with each row.
"""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from adapt_core.nn.rms_norm import parts_of, whole

from adapt_peft_ssf.lean.dropout import dropped, factors

_BLOCK, _BLOCK_ON_ACCELERATORS = 2**18, 2**26
"""Numbers of a weight whose norms are computed at a time: what stays in a processor's cache; few kernels on a GPU."""


@attrs.frozen(eq=False)
class Frozen:
    """What does not train.

    Attributes:
        weight: of the base layer, (outputs, inputs).
        bias: of the base layer, or None.
        scale: multiplies the update.
        dropout: share of the adapter's input that is dropped; 0 outside of training.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    scale: float
    dropout: float

    def merges(self, rows: torch.Tensor) -> bool:
        """Return whether the update is added to the weight for these rows."""
        outputs, inputs = self.weight.shape
        return not self.dropout and rows.shape[0] * (inputs + outputs) >= 2 * inputs * outputs


class LoraLinear(torch.autograd.Function):
    """`x W' + bias + scale * dropout(x) A' B'`.

    E. Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models. ICLR 2022.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, frozen: Frozen) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        weight, scale = frozen.weight, frozen.scale
        ctx.merged, ctx.scale, ctx.dropout = frozen.merges(rows), scale, frozen.dropout
        if ctx.merged:
            output = linear(rows, torch.addmm(weight, b, a, alpha=scale), frozen.bias)
            ctx.save_for_backward(*parts_of(x), a, b, weight, None, None)
        else:
            seen, bits = _dropped(rows, frozen.dropout)
            narrow = linear(seen, a)
            output = linear(rows, weight, frozen.bias).addmm_(narrow, b.T, alpha=scale)
            ctx.save_for_backward(*parts_of(x), a, b, weight, narrow, bits)
        return output.view(*x.shape[:-1], weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        *parts, a, b, weight, narrow, bits = ctx.saved_tensors
        x = whole(*parts)
        rows, slopes = x.reshape(-1, x.shape[-1]), slope.reshape(-1, slope.shape[-1])
        factor = None if bits is None else factors(bits, rows, ctx.dropout)
        seen = rows if factor is None else rows * factor
        of_narrow = (slopes @ b).mul_(ctx.scale)
        of_b = (slopes.T @ (linear(seen, a) if narrow is None else narrow)).mul_(ctx.scale)
        of_x = None
        if ctx.needs_input_grad[0] and ctx.merged:
            of_x = slopes @ torch.addmm(weight, b, a, alpha=ctx.scale)
        elif ctx.needs_input_grad[0]:
            of_x = _through_both(slopes @ weight, of_narrow @ a, factor)
        return None if of_x is None else of_x.view(x.shape), of_narrow.T @ seen, of_b, None


class LoraUpdate(torch.autograd.Function):
    """`scale * dropout(x) A' B'` in the type of A, which keeps x in the type that it comes in."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float, share: float
    ) -> torch.Tensor:
        seen, bits = _dropped(x.to(a.dtype), share)
        narrow = linear(seen, a)
        ctx.scale, ctx.dropout = scale, share
        ctx.save_for_backward(*parts_of(x), a, b, narrow, bits)
        return linear(narrow, b).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        *parts, a, b, narrow, bits = ctx.saved_tensors
        x = whole(*parts)
        seen = x.to(a.dtype)
        factor = None if bits is None else factors(bits, seen, ctx.dropout)
        seen = seen if factor is None else seen * factor
        slopes = slope.reshape(-1, slope.shape[-1])
        of_narrow = (slopes @ b).mul_(ctx.scale)
        of_b = (slopes.T @ narrow.reshape(-1, narrow.shape[-1])).mul_(ctx.scale)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = (of_narrow @ a).view(x.shape)
            of_x = (of_x if factor is None else of_x.mul_(factor)).to(x.dtype)
        return of_x, of_narrow.T @ seen.reshape(-1, seen.shape[-1]), of_b, None, None


class DoraLinear(torch.autograd.Function):
    """`x W' + bias + (m - 1) dropout(x) W' + m scale * dropout(x) A' B'`, m the magnitudes over the norms.

    As in peft the norms, of the rows of `W + scale * B A`, count as constants.

    S.-Y. Liu et al.: DoRA: Weight-Decomposed Low-Rank Adaptation. ICML 2024.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, magnitudes: torch.Tensor, frozen: Frozen
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        weight, scale = frozen.weight, frozen.scale
        ctx.merged, ctx.scale, ctx.dropout = frozen.merges(rows), scale, frozen.dropout
        norms = row_norms(weight, a, b, scale)
        shares = magnitudes / norms
        if ctx.merged:
            product = rows @ torch.addmm(weight, b, a, alpha=scale).T
            output = _shared(product, shares, frozen.bias)
            ctx.save_for_backward(*parts_of(x), a, b, weight, norms, shares, product, None, None)
        else:
            seen, bits = _dropped(rows, frozen.dropout)
            product, narrow = seen @ weight.T, linear(seen, a)
            if bits is None:
                output = _shared(product, shares, frozen.bias)
            else:
                output = linear(rows, weight, frozen.bias).addcmul_(product, shares - 1)
            output.addmm_(narrow, _scaled(b, shares, scale).T)
            ctx.save_for_backward(*parts_of(x), a, b, weight, norms, shares, product, narrow, bits)
        return output.view(*x.shape[:-1], weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        *parts, a, b, weight, norms, shares, product, narrow, bits = ctx.saved_tensors
        x = whole(*parts)
        rows, slopes = x.reshape(-1, x.shape[-1]), slope.reshape(-1, slope.shape[-1])
        factor = None if bits is None else factors(bits, rows, ctx.dropout)
        seen = rows if factor is None else rows * factor
        of_narrow = slopes @ _scaled(b, shares, ctx.scale)
        by_rank = slopes.T @ (linear(seen, a) if narrow is None else narrow)
        of_shares = (slopes * product).sum(0)
        if not ctx.merged:  # The product is that of the base alone.
            of_shares.add_((by_rank * b).sum(1), alpha=ctx.scale)
        of_x = None
        if ctx.needs_input_grad[0] and ctx.merged:
            of_x = slopes @ torch.addmm(weight, b, a, alpha=ctx.scale).mul_(shares[:, None])
        elif ctx.needs_input_grad[0] and factor is None:
            of_x = ((slopes * shares) @ weight).addmm_(of_narrow, a)
        elif ctx.needs_input_grad[0]:
            of_seen = ((slopes * (shares - 1)) @ weight).addmm_(of_narrow, a)
            of_x = _through_both(slopes @ weight, of_seen, factor)
        of_b = _scaled(by_rank, shares, ctx.scale)
        return None if of_x is None else of_x.view(x.shape), of_narrow.T @ seen, of_b, of_shares / norms, None


def row_norms(weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float) -> torch.Tensor:
    """Return the norms of the rows of `weight + scale * b a`, of which a block is in memory at a time.

    Args:
        weight: (outputs, inputs).
        a: (rank, inputs).
        b: (outputs, rank).
        scale: multiplies the product.
    """
    numbers = _BLOCK if weight.device.type == "cpu" else _BLOCK_ON_ACCELERATORS
    block = max(1, numbers // weight.shape[1])
    pieces = [slice(start, start + block) for start in range(0, weight.shape[0], block)]
    return torch.cat(
        [torch.linalg.vector_norm(torch.addmm(weight[rows], b[rows], a, alpha=scale), dim=1) for rows in pieces]
    )


def _dropped(rows: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor | None]:
    return dropped(rows, share) if share else (rows, None)


def _shared(product: torch.Tensor, shares: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return product * shares if bias is None else torch.addcmul(bias, product, shares)


def _scaled(b: torch.Tensor, shares: torch.Tensor, scale: float) -> torch.Tensor:
    return b * (shares * scale)[:, None]


def _through_both(of_base: torch.Tensor, of_seen: torch.Tensor, factor: torch.Tensor | None) -> torch.Tensor:
    """Return the gradient of an input by way of the base layer and of the adapter; written over the first."""
    return of_base.add_(of_seen) if factor is None else of_base.addcmul_(of_seen, factor)
