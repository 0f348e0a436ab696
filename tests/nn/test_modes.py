"""Evaluation or training mode for a while leaves each module in the mode that it had."""

from __future__ import annotations

import pytest
from torch import nn

from adapt_core.nn.modes import evaluation_mode, training_mode


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def test_each_module_gets_its_own_mode_back() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    model[1].eval()
    with evaluation_mode(model):
        assert modes(model) == [False, False, False]
    assert modes(model) == [True, True, False]
    with training_mode(model):
        assert modes(model) == [True, True, True]
    assert modes(model) == [True, True, False]


def test_an_error_in_the_block_restores_the_modes_too() -> None:
    model = nn.Linear(2, 2).train()
    with pytest.raises(ValueError, match="in the block"), evaluation_mode(model):
        raise ValueError("in the block")
    assert model.training
