"""The training check tells what moved, what stood still, and whose fault it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from adapt_core.errors import DefectError, InputError
from adapt_core.verification.training import TrainingCheck, fingerprint


class Two(nn.Module):
    """A frozen layer, a head, and a layer that the forward pass never uses."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)
        self.idle = nn.Linear(4, 4)
        self.base.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.base(x))
        return out


GROUPS = {"head": ["head.weight", "head.bias"]}
IDLE = {"adapter": ["idle.weight", "idle.bias"]}


def train(
    model: nn.Module,
    training_check: TrainingCheck,
    steps: int = 3,
    rate: float = 0.1,
    loss_of: Callable[[torch.Tensor], torch.Tensor] = lambda y: (y**2).mean(),
) -> None:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=rate)
    training_check.begin()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model(torch.randn(3, 4)))
        loss.backward()
        training_check.see_loss(float(loss.detach()))
        training_check.see_gradients()
        optimizer.step()
        training_check.stepped(rate)


def test_what_trains_passes_and_what_is_frozen_is_counted() -> None:
    model = Two()
    model.idle.requires_grad_(False)
    training_check = TrainingCheck(model, GROUPS, "last_layer")
    train(model, training_check)
    assert training_check.verdict() == {
        "verdict": "learned",
        "steps": 3,
        "trained_tensors": 2,
        "moved_tensors": 2,
        "still_tensors": [],
        "frozen_tensors": 4,
        "frozen_changed": 0,
    }


def test_fewer_than_three_effective_steps_decide_nothing() -> None:
    model = Two()
    training_check = TrainingCheck(model, {**GROUPS, **IDLE}, "m")
    train(model, training_check, steps=2)
    assert str(training_check.verdict()["verdict"]).startswith("not decided")
    training_check = TrainingCheck(model, {**GROUPS, **IDLE}, "m")
    train(model, training_check, steps=9, rate=0.0)
    assert str(training_check.verdict()["verdict"]).startswith("not decided")


def test_a_skipped_step_does_not_count() -> None:
    training_check = TrainingCheck(Two(), IDLE, "m")
    training_check.begin()
    for _ in range(9):
        training_check.stepped(0.1, skipped=True)
    assert training_check.verdict()["steps"] == 0


def test_a_group_that_stands_still_stops_the_run_by_name() -> None:
    model = Two()
    training_check = TrainingCheck(model, {**GROUPS, **IDLE}, "broken")
    with pytest.raises(
        DefectError, match=r"adapter of method broken \(2 tensors, idle\.weight, idle\.bias\) stood still"
    ):
        train(model, training_check)


def test_gradients_that_are_not_finite_are_the_config_s_fault() -> None:
    model = Two()
    training_check = TrainingCheck(model, GROUPS, "m")
    with pytest.raises(InputError, match="not finite"):
        train(model, training_check, loss_of=lambda y: (y * float("nan")).mean(), rate=1e-30)


def test_a_loss_that_is_always_zero_is_the_data_s_fault() -> None:
    model = Two()
    training_check = TrainingCheck(model, GROUPS, "m")
    with pytest.raises(InputError, match="loss is zero for every batch"):
        train(model, training_check, loss_of=lambda y: (y * 0.0).mean())


def test_single_still_tensors_are_a_warning_with_names_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    model = Two()
    training_check = TrainingCheck(model, {"all": ["head.weight", "idle.weight"]}, "m")
    train(model, training_check)
    assert caplog.text == ""
    assert training_check.verdict()["still_tensors"] == ["idle.bias", "idle.weight"]
    assert "2 of 4 tensors that should train never did: no row of 3 steps gave them a gradient" in caplog.text
    assert "idle.weight" in caplog.text


def test_a_tensor_that_moves_after_the_verdict_has_trained(caplog: pytest.LogCaptureFixture) -> None:
    model = Two()
    training_check = TrainingCheck(model, {"all": ["head.weight", "idle.weight"]}, "m")
    train(model, training_check)
    for tensor in model.idle.parameters():
        tensor.grad = torch.ones_like(tensor)
    training_check.see_gradients()
    assert training_check.verdict()["still_tensors"] == []
    assert caplog.text == ""


def test_a_frozen_tensor_that_changes_is_a_defect() -> None:
    model = Two()
    training_check = TrainingCheck(model, GROUPS, "m")
    train(model, training_check)
    model.base.weight.data[0, 0] += 1e-7
    with pytest.raises(DefectError, match=r"1 frozen tensors changed while training: base\.weight"):
        training_check.verdict()


def test_what_a_method_declares_must_exist_and_be_trainable() -> None:
    with pytest.raises(DefectError, match="does not have: no"):
        TrainingCheck(Two(), {"adapter": ["no.such"]}, "m")
    with pytest.raises(DefectError, match="frozen parameters train: base"):
        TrainingCheck(Two(), {"adapter": ["base.weight"]}, "m")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int8, torch.bool, torch.float64])
def test_a_fingerprint_sees_a_single_bit(dtype: torch.dtype) -> None:
    tensor = torch.zeros(3, 5).to(dtype)
    other = tensor.clone()
    assert fingerprint(tensor) == fingerprint(other)
    other.view(torch.uint8)[1, 2] ^= 1
    assert fingerprint(tensor) != fingerprint(other)


def test_a_fingerprint_reads_what_is_not_contiguous() -> None:
    tensor = torch.arange(6.0).reshape(2, 3)
    assert fingerprint(tensor.t()) == fingerprint(tensor.t().contiguous())
    assert fingerprint(torch.tensor(3.0)) == fingerprint(torch.tensor(3.0))
