"""Half-precision weights in float32 for a while, and back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from adapt_core.nn.precision import Widened, is_half


def mixed() -> nn.Module:
    """Return layers in bfloat16 behind a norm in float32 with statistics in float16."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4, bias=False).bfloat16(), nn.Linear(4, 2).bfloat16())
    model[0].running_mean = torch.randn(4).half()
    return model


def test_values_stay_and_types_come_back() -> None:
    model = mixed()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    widened = Widened(model)
    assert widened.dtype in ("bfloat16", "float16")
    floats = [tensor for tensor in model.state_dict().values() if tensor.dtype.is_floating_point]
    assert all(tensor.dtype is torch.float32 for tensor in floats)
    model.eval()(torch.randn(3, 4))
    widened.narrow(model)
    for name, tensor in model.state_dict().items():
        assert tensor.dtype is before[name].dtype
        assert torch.equal(tensor, before[name]), name


def test_a_parameter_that_was_added_gets_its_module_s_type() -> None:
    model = mixed()
    widened = Widened(model)
    model[1].bias = nn.Parameter(torch.zeros(4))
    widened.narrow(model)
    assert model[1].bias.dtype is torch.bfloat16
    assert model[0].weight.dtype is torch.float32


def test_a_model_in_float32_has_nothing_to_widen() -> None:
    assert Widened(nn.Linear(2, 2)).dtype is None


@pytest.mark.gpu
def test_types_come_back_where_the_gpu_has_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model moves to the CPU, which makes new objects of its buffers."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    model = nn.Sequential(nn.BatchNorm1d(4).bfloat16(), nn.BatchNorm1d(4, affine=False).bfloat16()).cuda()
    model[0].running_mean = torch.randn(4, device="cuda")
    before = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    widened = Widened(model)
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}
    assert widened.dtype == "bfloat16"
    widened.narrow(model)
    assert {name: tensor.dtype for name, tensor in model.state_dict().items()} == before


def test_half_types_are_those_of_16_bits() -> None:
    assert is_half(torch.float16)
    assert is_half(torch.bfloat16)
    assert not is_half(torch.float32)
    assert not is_half(torch.int16)
