"""What a layer does with its weight, asked of layers of torch and of others."""

from __future__ import annotations

import torch
from torch import nn

from adapt_peft_ssf.layers import bypassed_by, transforms_its_weight


class MyLayer(nn.TransformerEncoderLayer):
    """A layer of torch's under another name."""


def test_a_module_that_reads_weights_is_named_as_torch_names_it() -> None:
    reason = bypassed_by(MyLayer(16, 2, 32))
    assert reason == "nn.TransformerEncoderLayer uses the weight of its layer without calling the layer"
    assert bypassed_by(nn.Linear(2, 2)) is None


class Counted(nn.Linear):
    """A Linear that counts its calls, and squares its weight where it is told to."""

    calls = 0

    def __init__(self, size: int, squares: bool) -> None:
        super().__init__(size, size)
        self.squares = squares

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Counted.calls += 1
        return nn.functional.linear(x, self.weight.square() if self.squares else self.weight, self.bias)


def test_layers_that_are_alike_are_asked_once_and_others_for_themselves() -> None:
    first = [transforms_its_weight(Counted(5, squares=False)) for _ in range(4)]
    assert (first, Counted.calls) == ([False] * 4, 3)
    assert transforms_its_weight(Counted(5, squares=True))
    assert not transforms_its_weight(Counted(6, squares=False))
    assert Counted.calls == 9
