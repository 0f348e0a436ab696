"""Learning rates by depth: what each parameter's rate is multiplied by, and the groups of an optimizer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.errors import InputError
from adapt_core.nn.learning_rates import rate_factors, split_groups


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(2, 2)
        self.blocks = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.norm = nn.LayerNorm(2)
        self.head = nn.Linear(2, 1)


def factors(**given: float) -> dict[str, float]:
    net = Net()
    head = [f"head.{part}" for part in ("weight", "bias")]
    return rate_factors(net, list(net.blocks), head, TrainingParams(lr=0.1, **given))


def test_each_block_below_the_head_learns_more_slowly() -> None:
    found = factors(layer_lr_decay=0.5)
    assert {name: found[f"{name}.weight"] for name in ("embed", "blocks.0", "blocks.1", "norm")} == {
        "embed": 0.125,
        "blocks.0": 0.25,
        "blocks.1": 0.5,
        "norm": 0.5,
    }
    assert "head.weight" not in found


def test_the_head_has_its_own_rate() -> None:
    assert factors(head_lr=0.5) == pytest.approx({"head.weight": 5.0, "head.bias": 5.0})
    assert factors(head_lr=0.5, layer_lr_decay=0.5)["head.bias"] == pytest.approx(5.0)


def test_frozen_parameters_have_none() -> None:
    net = Net()
    net.embed.requires_grad_(False)
    found = rate_factors(net, list(net.blocks), (), TrainingParams(layer_lr_decay=0.5))
    assert "embed.weight" not in found


def test_what_would_change_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no head trains"):
        rate_factors(Net(), (), (), TrainingParams(head_lr=0.5))
    with pytest.raises(InputError, match="Net has no blocks that repeat"):
        rate_factors(Net(), (), ("head.weight",), TrainingParams(layer_lr_decay=0.5))


def test_an_optimizer_steps_each_parameter_at_its_rate_and_the_first_group_is_that_of_lr() -> None:
    net = Net()
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    found = rate_factors(net, list(net.blocks), ("head.weight",), TrainingParams(lr=0.1, layer_lr_decay=0.5))
    groups = [{"params": list(net.parameters()), "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    split_groups(optimizer, list(net.named_parameters()), found)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(before)
    optimizer.step()
    for name, parameter in net.named_parameters():
        moved = (before[name] - parameter.detach()).mean().item()
        assert moved == pytest.approx(0.1 * found.get(name, 1.0), abs=1e-6), name
