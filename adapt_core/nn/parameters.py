"""Counts of a model's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from torch import nn


@attrs.frozen
class ParameterCounts:
    """Parameters of a model, each shared one once. A quantized weight counts what it stands for, not its packed bytes.

    Attributes:
        total: all of them.
        trainable: those that require gradients.
    """

    total: int
    trainable: int

    @property
    def share(self) -> float:
        """The trainable ones, in per cent of all."""
        return 100 * self.trainable / self.total if self.total else 0.0


def count_parameters(model: nn.Module) -> ParameterCounts:
    """Count the parameters of a model, plain or attached, quantized or not.

    Two values of a 4-bit weight are packed into one byte, so a linear layer counts by its own sizes.
    """
    from torch import nn

    linear = {
        id(module.weight): module.in_features * module.out_features
        for module in model.modules()
        if isinstance(module, nn.Linear)
    }
    counts = [(linear.get(id(p), p.numel()), p.requires_grad) for p in model.parameters()]
    return ParameterCounts(sum(count for count, _ in counts), sum(count for count, trains in counts if trains))
