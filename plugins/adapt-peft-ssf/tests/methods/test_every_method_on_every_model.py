"""One suite over every method and every family of models."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from adapt_core.verification.training import fingerprint

from ..adapters import METHODS, make, new_head
from ..models import CASES, Case, logits, train

RELATIVE = 1e-5
"""A merge may differ by this share of the largest logit."""


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    if request.param.startswith("timm"):
        pytest.importorskip("timm")
    return CASES[request.param]


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Any:
    return make(request.param)


def test_the_loss_falls_the_adapter_moves_and_the_base_stands_still(case: Case, method: Any) -> None:
    model = method.attach(case.seeded(), case.context)
    groups = method.trainable_groups(model)
    assert groups["adapter"]
    assert bool(groups["head"]) == case.context.train_head
    trains = {name for members in groups.values() for name in members}
    start = {name: fingerprint(tensor) for name, tensor in model.state_dict().items()}

    losses = train(model, case.inputs())

    assert losses[-1] < losses[0]
    moved = {name for name, tensor in model.state_dict().items() if fingerprint(tensor) != start[name]}
    assert moved & set(groups["adapter"])
    assert moved <= trains, "something frozen changed"
    if case.context.train_head:
        assert set(groups["head"]) <= moved


def test_the_adapter_switched_off_is_the_base_model(case: Case, method: Any) -> None:
    base = logits(case.seeded(), case.inputs())
    model = method.attach(case.seeded(), case.context).eval()
    with torch.no_grad():
        for name in method.trainable_groups(model)["adapter"]:
            tensor = model.get_parameter(name)
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3)))

    with method.disable_adapter(model):
        off = logits(model, case.inputs())

    torch.testing.assert_close(off, base)
    assert not torch.allclose(logits(model, case.inputs()), base, atol=1e-4)
    assert all(model.get_parameter(name).requires_grad for name in method.trainable_groups(model)["adapter"])


def test_a_saved_adapter_on_a_fresh_base_gives_the_same_outputs(case: Case, method: Any, tmp_path: Path) -> None:
    model = method.attach(case.seeded(), case.context)
    train(model, case.inputs(), steps=3)
    assert method.save_adapter(model, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}

    loaded = type(method)(method.params).load_adapter(case.seeded(), tmp_path).eval()

    assert torch.equal(logits(loaded, case.inputs()), logits(model, case.inputs()))


def test_a_merged_model_is_plain_and_gives_the_same_outputs(case: Case, method: Any) -> None:
    plain = case.seeded()
    names = {name: type(module) for name, module in plain.named_modules()}
    keys = set(plain.state_dict())
    model = method.attach(plain, case.context)
    train(model, case.inputs(), steps=5)
    unmerged = logits(model, case.inputs())

    merged = method.merge(model, None).eval()

    assert {name: type(module) for name, module in merged.named_modules()} == names
    assert keys <= set(merged.state_dict())
    outputs = logits(merged, case.inputs())
    assert (outputs - unmerged).abs().max() <= RELATIVE * unmerged.abs().max()
    assert torch.equal(outputs.argmax(-1), unmerged.argmax(-1))
    copy.deepcopy(merged)


def test_a_loaded_adapter_merges_into_the_same_model(case: Case, method: Any, tmp_path: Path) -> None:
    model = method.attach(case.seeded(), case.context)
    train(model, case.inputs(), steps=3)
    unmerged = logits(model, case.inputs())
    method.save_adapter(model, tmp_path)

    fresh = type(method)(method.params)
    merged = fresh.merge(fresh.load_adapter(case.seeded(), tmp_path), None).eval()

    assert (logits(merged, case.inputs()) - unmerged).abs().max() <= RELATIVE * unmerged.abs().max()


class WithTrainStep(nn.Module):
    """A model whose loop calls a method of its class, as mmengine's does."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = CASES["conv net"].make()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.backbone(x)

    def train_step(self) -> str:
        return "called"


@pytest.mark.parametrize("name", METHODS)
def test_a_model_with_a_train_step_of_its_own_keeps_its_class(name: str, tmp_path: Path) -> None:
    case = Case(WithTrainStep, CASES["conv net"].inputs, new_head("backbone.fc"))
    method = make(name)
    model = method.attach(case.seeded(), case.context)
    assert type(model) is WithTrainStep
    losses = train(model, case.inputs(), steps=5)
    assert losses[-1] < losses[0]
    unmerged = logits(model, case.inputs())
    method.save_adapter(model, tmp_path)

    loaded = make(name).load_adapter(case.seeded(), tmp_path).eval()
    assert torch.equal(logits(loaded, case.inputs()), unmerged)

    from peft import PeftModel

    by_peft = PeftModel.from_pretrained(case.seeded(), str(tmp_path)).eval()
    assert torch.equal(logits(by_peft, case.inputs()), unmerged)

    merged = method.merge(model, None).eval()
    assert type(merged) is WithTrainStep
    assert (logits(merged, case.inputs()) - unmerged).abs().max() <= RELATIVE * unmerged.abs().max()
