"""BitFit passes the contracts of adapt, and trains what the paper says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from adapt_bitfit.method import BitFit
from adapt_bitfit.plugin import BitFitParams
from torch import nn

from adapt_core.plugin import AttachContext, InputError, Method
from adapt_core.testing import MethodContract, PluginContract


class TestDistribution(PluginContract):
    distribution = "adapt-bitfit"


class TestBitFit(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: BitFit(BitFitParams())


def test_biases_and_head_train_and_nothing_else() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    BitFit(BitFitParams()).attach(model, AttachContext(head=("2",)))
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained == ["0.bias", "1.bias", "2.weight", "2.bias"]


def test_bias_of_chooses_and_names_what_it_does_not_find() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    BitFit(BitFitParams(bias_of=("1",))).attach(model, AttachContext(head=("2",)))
    assert not model[0].bias.requires_grad
    with pytest.raises(InputError, match=r"no bias in a module named query. It has 0.bias, 1.bias"):
        BitFit(BitFitParams(bias_of=("query",))).attach(model, AttachContext(head=("2",)))
