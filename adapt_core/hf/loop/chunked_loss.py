"""The cross-entropy of a language model's head, chunk by chunk: the logits of a whole batch never exist.

The logits of a chunk of positions become their part of the loss and of its gradients, and are given up. So gradients
are computed in the forward pass and only scaled in the backward pass, as in Liger Kernel (Hsu et al., 2024,
https://arxiv.org/abs/2410.10989).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy, linear, log_softmax

from adapt_core.hf.loop.word_blocks import BlockedLoss, LinearGradients
from adapt_core.nn.precision import is_half

CHUNK_ELEMENTS = 2**24
"""Logits of one chunk on a CPU: 64 MiB in float32, 341 positions of 49,152 words."""

CHUNK_ELEMENTS_ON_ACCELERATORS = 2**26
"""The same elsewhere, where small products leave most of a device idle."""

LEAST_POSITIONS = 64
"""Positions of a chunk for the largest vocabularies: each chunk goes through the gradient of the whole layer."""


@attrs.frozen
class Head:
    """What makes logits of hidden states.

    Attributes:
        layer: the output layer.
        forward: its own forward function.
        vocabulary: logits of a position.
        autocast: the type of products under the autocast that was on when the layer was called, or None.
        trains: whether gradients were wanted then.
        steps: what the model does to its logits element by element, in order: scaling, soft-capping, a bias.
        smoothing: share of each target that goes to all words evenly in a loss with gradients.
        tell: is called with the reason where a training step computes all logits.
    """

    layer: Any
    forward: Callable[[torch.Tensor], torch.Tensor]
    vocabulary: int
    autocast: torch.dtype | None
    trains: bool
    steps: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = ()
    smoothing: float = 0.0
    tell: Callable[[str], None] = lambda _: None

    @property
    def is_exact(self) -> bool:
        """Whether the logits are in single precision or more, and as the layer makes them."""
        return not self.steps and self.autocast is None and not is_half(self.layer.weight.dtype)

    @property
    def is_linear(self) -> bool:
        """Whether the layer is a matrix product and no more."""
        return isinstance(self.layer, nn.Linear) and type(self.layer).forward is nn.Linear.forward

    def product(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the layer's logits, under the autocast that was on when it was called."""
        device = hidden.device.type
        with torch.autocast(device, dtype=self.autocast, enabled=self.autocast is not None):
            return self.forward(hidden)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits as the model returns them, with gradients where they were wanted."""
        with torch.set_grad_enabled(self.trains):
            return self._changed(self.product(hidden))

    def finish(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the layer's logits as the model returns them, in float32 at least."""
        changed = self._changed(logits)
        return changed.float() if is_half(changed.dtype) else changed

    def _changed(self, logits: torch.Tensor) -> torch.Tensor:
        for step in self.steps:
            logits = step(logits)
        return logits


def loss_sum(hidden: torch.Tensor, targets: torch.Tensor, head: Head) -> torch.Tensor:
    """Return the sum of the cross-entropies of all positions in nats: a tensor without dimensions, float32 at least.

    With smoothing, it is torch's (Szegedy et al., 2015, arXiv:1512.00567).

    Args:
        hidden: float tensor (positions, width).
        targets: int64 tensor (positions,), each a word.
        head: makes logits of the hidden states.
    """
    if head.is_linear:
        layer = head.layer
        of_blocks = hidden.device.type == "cpu" and head.is_exact and hidden.dtype == layer.weight.dtype
        loss = _BlockedLinearLoss if of_blocks else _LinearLoss
        with torch.autocast(hidden.device.type, enabled=False):
            total: torch.Tensor = loss.apply(hidden, layer.weight, layer.bias, targets, head)
    else:
        trained = [parameter for parameter in head.layer.parameters() if parameter.requires_grad]
        total = _LayerLoss.apply(hidden, targets, head, *trained)
    return total


@torch.no_grad()
def position_scores(hidden: torch.Tensor, targets: torch.Tensor, head: Head) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross-entropy of each position (float32 at least), and whether its largest logit is the target's.

    Args:
        hidden: float tensor (positions, width).
        targets: int64 tensor (positions,), each a word.
        head: makes logits of the hidden states.
    """
    losses = [torch.zeros(0, device=hidden.device)]
    hits = [torch.zeros(0, dtype=torch.bool, device=hidden.device)]
    for rows, wanted in _chunks(hidden, targets, head):
        logits = head.finish(head.product(rows))
        losses.append(cross_entropy(logits, wanted, reduction="none"))
        hits.append(logits.argmax(1) == wanted)
    return torch.cat(losses), torch.cat(hits)


def _chunks(hidden: torch.Tensor, targets: torch.Tensor, head: Head) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    size = _chunk_size(hidden, head)
    if len(targets):
        yield from zip(torch.split(hidden, size), torch.split(targets, size), strict=True)


def _chunk_size(hidden: torch.Tensor, head: Head) -> int:
    elements = CHUNK_ELEMENTS if hidden.device.type == "cpu" else CHUNK_ELEMENTS_ON_ACCELERATORS
    return max(elements // head.vocabulary, LEAST_POSITIONS)


class _GradientSum:
    """The sum of a parameter's gradients over chunks: in half precision, what is small would be lost in it."""

    def __init__(self, parameter: torch.Tensor) -> None:
        dtype = torch.float32 if is_half(parameter.dtype) else parameter.dtype
        self.value = torch.zeros(parameter.shape, dtype=dtype, device=parameter.device)

    def add(self, gradient: torch.Tensor) -> None:
        self.value += gradient

    def add_product(self, left: torch.Tensor, right: torch.Tensor) -> None:
        if left.dtype == self.value.dtype:
            self.value.addmm_(left, right)
        else:
            self.value += left @ right


def _loss_and_slope(logits: torch.Tensor, targets: torch.Tensor, head: Head) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum of a chunk's losses and its gradient by the layer's logits."""
    with torch.enable_grad():
        leaf = logits.detach().requires_grad_()
        scores = head.finish(leaf)
    logs = log_softmax(scores.detach(), 1)
    own = 1 - head.smoothing
    loss = -own * logs.gather(1, targets[:, None]).sum()
    if head.smoothing:
        loss -= head.smoothing * logs.mean(1).sum()
    slope = logs.exp_()
    if head.smoothing:
        slope -= head.smoothing / head.vocabulary
    slope[torch.arange(len(targets), device=targets.device), targets] -= own
    if scores is not leaf:
        (slope,) = torch.autograd.grad(scores, leaf, slope)
    return loss, slope


class _LinearLoss(torch.autograd.Function):
    """The loss of a linear layer: a matrix product a chunk for each gradient that is wanted."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        head: Head,
    ) -> torch.Tensor:
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        losses: list[torch.Tensor] = []
        of_hidden: list[torch.Tensor] = []
        of_weight = _GradientSum(weight) if wants_weight else None
        of_bias = _GradientSum(bias) if bias is not None and wants_bias else None
        # Cast once, and without a graph: autocast would keep the casts for whatever uses the layer later.
        dtype = head.autocast or hidden.dtype
        factor = weight.detach().to(dtype)
        offset = None if bias is None else bias.detach().to(dtype)
        for rows, wanted in _chunks(hidden, targets, head):
            rows = rows.to(dtype)
            loss, slope = _loss_and_slope(linear(rows, factor, offset), wanted, head)
            losses.append(loss)
            if wants_hidden:
                of_hidden.append((slope @ factor).to(hidden.dtype))
            if of_weight is not None:
                of_weight.add_product(slope.T, rows)
            if of_bias is not None:
                of_bias.add(slope.sum(0))
        gradient = torch.cat(of_hidden) if of_hidden else torch.zeros_like(hidden) if wants_hidden else None
        _keep(
            ctx,
            [gradient, *(None if total is None else total.value for total in (of_weight, of_bias))],
            [hidden, weight, bias],
        )
        return torch.stack(losses).sum() if losses else torch.zeros((), device=hidden.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        return *_scaled(ctx, slope), None, None


class _BlockedLinearLoss(_LinearLoss):
    """The same in single precision or more on a CPU, where logits are not changed: by blocks of words."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        head: Head,
    ) -> torch.Tensor:
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        of_hidden = torch.empty_like(hidden) if wants_hidden else None
        of_weight = torch.zeros_like(weight) if wants_weight else None
        of_bias = torch.zeros_like(bias) if bias is not None and wants_bias else None
        size = min(_chunk_size(hidden, head), len(targets))
        blocked = BlockedLoss(weight.detach(), None if bias is None else bias.detach(), size, head.smoothing)
        total = hidden.new_zeros(())
        for start in range(0, len(targets), size or 1):
            part = slice(start, start + size)
            of_rows = None if of_hidden is None else of_hidden[part]
            total += blocked.add(hidden[part], targets[part], of_rows, LinearGradients(of_weight, of_bias))
        _keep(ctx, [of_hidden, of_weight, of_bias], [hidden, weight, bias])
        return total


class _LayerLoss(torch.autograd.Function):
    """The loss of any other layer: an adapter on the head, a quantized one. Autograd differentiates each chunk."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, targets: torch.Tensor, head: Head, *trained: nn.Parameter
    ) -> torch.Tensor:
        losses: list[torch.Tensor] = []
        of_hidden: list[torch.Tensor] = []
        sums = [_GradientSum(parameter) for parameter in trained]
        for rows, wanted in _chunks(hidden, targets, head):
            with torch.enable_grad():
                leaf = rows.detach().requires_grad_()
                logits = head.finish(head.product(leaf))
                loss = cross_entropy(logits, wanted, reduction="sum", label_smoothing=head.smoothing)
            gradient, *others = torch.autograd.grad(loss, [leaf, *trained], allow_unused=True)
            losses.append(loss.detach())
            of_hidden.append(gradient)
            for total, other in zip(sums, others, strict=True):
                if other is not None:
                    total.add(other)
        gradient = torch.cat(of_hidden) if of_hidden else torch.zeros_like(hidden)
        _keep(ctx, [gradient, *(total.value for total in sums)], [hidden, *trained])
        return torch.stack(losses).sum() if losses else torch.zeros((), device=hidden.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        of_hidden, *others = _scaled(ctx, slope)
        return of_hidden, None, None, *others


def _keep(ctx: Any, gradients: list[torch.Tensor | None], inputs: list[torch.Tensor | None]) -> None:
    ctx.dtypes = [None if given is None else given.dtype for given in inputs]
    ctx.save_for_backward(*gradients)


def _scaled(ctx: Any, slope: torch.Tensor) -> list[torch.Tensor | None]:
    return [
        None if gradient is None else gradient.mul_(slope).to(dtype)
        for gradient, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)
    ]
