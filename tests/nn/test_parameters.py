"""Counts of parameters: each shared one once, packed weights as what they stand for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from adapt_core.nn.parameters import count_parameters


def model() -> nn.Sequential:
    """One embedding, tied to the last of two linear layers: 40 + 24 + 6 parameters."""
    made = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 6), nn.Linear(4, 10, bias=False))
    made[2].weight = made[0].weight
    return made


def test_a_plain_model_counts_its_parameters_once() -> None:
    counts = count_parameters(model())
    assert (counts.total, counts.trainable, counts.share) == (70, 70, 100)
    frozen = model()
    frozen[1].requires_grad_(False)
    assert (count_parameters(frozen).total, count_parameters(frozen).trainable) == (70, 40)


def test_a_packed_weight_counts_the_values_that_it_stands_for() -> None:
    bnb = pytest.importorskip("bitsandbytes")
    plain = nn.Linear(64, 128)
    packed = bnb.nn.Linear4bit(64, 128, compute_dtype=torch.float32)
    packed.load_state_dict(plain.state_dict())
    packed = nn.Sequential(packed.to("cpu"), nn.Linear(128, 2)).requires_grad_(False)
    assert packed[0].weight.numel() < plain.weight.numel()
    assert count_parameters(packed).total == 64 * 128 + 128 + 128 * 2 + 2
