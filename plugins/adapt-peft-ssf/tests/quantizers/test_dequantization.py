"""4-bit weights are read with their own scales, whatever the width of a layer and the instructions of the CPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from adapt_peft_ssf.params import Bnb4bitParams
from adapt_peft_ssf.quantizers.bnb_4bit import Bnb4bit
from adapt_peft_ssf.quantizers.conversion import dequantized_weight

pytest.importorskip("bitsandbytes")


def by_hand(layer: Any) -> torch.Tensor:
    """Return the weight of a 4-bit layer: each half byte's value times the scale of its block."""
    import bitsandbytes as bnb

    state, packed = layer.weight.quant_state, layer.weight.data.flatten()
    halves = torch.stack([packed >> 4, packed & 15], dim=1).flatten().long()
    scales = state.absmax.repeat_interleave(state.blocksize)[: halves.numel()]
    return (bnb.functional.get_4bit_type(state.quant_type, device="cpu")[halves] * scales).view(state.shape)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("width", [32, 48, 64, 96, 100, 160, 576])
def test_weights_have_the_scales_of_their_own_blocks(width: int, kind: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(width, 64), nn.ReLU())
    params = Bnb4bitParams(bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=False, bnb_4bit_compute_dtype="float32")
    quantizer = Bnb4bit(params)
    model = quantizer.prepare(quantizer.convert(model, [], "cpu"), gradient_checkpointing=False)
    layer: Any = model[0]
    expected = by_hand(layer)
    assert torch.allclose(dequantized_weight(layer).float(), expected, atol=1e-6)
    given = torch.randn(5, width, requires_grad=True)
    outputs = layer(given)
    assert torch.allclose(outputs, nn.functional.linear(given, expected, layer.bias), atol=1e-4)
    outputs.sum().backward()
    assert given.grad is not None
    assert torch.allclose(given.grad, expected.sum(0).expand(5, -1), atol=1e-4)
