"""What a config may name by a dotted name, and what is said of what it may not."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapt_core.nn.named.code import NamedCodeError, load_named

torch = pytest.importorskip("torch")

from adapt_core.nn.named.losses import named_loss, require_loss, toy_targets  # noqa: E402
from adapt_core.nn.named.optimizers import named_optimizer, require_steps  # noqa: E402
from adapt_core.nn.named.schedules import NamedSchedule, factor_at, require_schedule  # noqa: E402


def test_installed_packages_alone_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside.py").write_text("raise SystemExit('this ran')\n")
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").write_text("raise SystemExit('this ran')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("beside", "planted", "planted.optim", "os", "shutil", "nowhere_to_be_found"):
        with pytest.raises(NamedCodeError, match="is not an installed package"):
            load_named(f"{name}:system")
    assert "beside" not in sys.modules
    assert load_named("torch.optim:RAdam") is torch.optim.RAdam


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("torch.optim:Nothing", "torch.optim has no Nothing"),
        ("torch.nowhere:Adam", "torch.nowhere cannot be imported"),
        ("../torch:Adam", "must read package.module:Name"),
        ("torch:", "must read package.module:Name"),
    ],
)
def test_what_is_not_there_is_told(name: str, reason: str) -> None:
    with pytest.raises(NamedCodeError, match=reason):
        load_named(name)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("torch.nn:Linear", {}, "is not a class of optimizers"),
        ("torch.optim:RAdam", {"beta": 1}, "unexpected keyword argument 'beta'; it takes params, lr, betas"),
        ("torch.optim:RAdam", {"lr": 1}, "OPTIMIZER_OPTIONS has lr: set LR"),
        ("torch.optim:RAdam", {"betas": [2.0, 0.9]}, "cannot step: Invalid beta"),
        ("torch.optim:SparseAdam", {}, "takes no weight_decay"),
        ("torch.optim:Adam", {"betas": [0.0, 0.0], "eps": 1e30}, "does not move any parameter"),
    ],
)
def test_optimizers_that_do_not_step_are_told(name: str, options: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(NamedCodeError, match=reason):
        require_steps(name, 1e-3, 0.1, options)


def test_an_optimizer_gets_rate_decay_and_options_and_the_check_leaves_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    require_steps("torch.optim:NAdam", 1e-3, 0.1, {"momentum_decay": 0.01})
    assert torch.equal(torch.get_rng_state(), before)
    made, arguments = named_optimizer("torch.optim:NAdam", 1e-3, 0.1, {"momentum_decay": 0.01})
    assert made is torch.optim.NAdam
    assert arguments == {"lr": 1e-3, "weight_decay": 0.1, "momentum_decay": 0.01}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("torch.optim.lr_scheduler:CosineAnnealingLR", {}),
        ("torch.optim.lr_scheduler:OneCycleLR", {"cycle_momentum": False}),
        ("torch.optim.lr_scheduler:StepLR", {"step_size": 3, "gamma": 0.5}),
    ],
)
def test_a_schedule_is_torch_s_own(name: str, options: dict[str, Any]) -> None:
    steps, lr = 20, 0.02
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=lr)
    known = {"CosineAnnealingLR": {"T_max": steps}, "OneCycleLR": {"max_lr": lr, "total_steps": steps}, "StepLR": {}}
    own = getattr(torch.optim.lr_scheduler, name.partition(":")[2])
    schedule = own(optimizer, **known[own.__name__], **options)
    expected = []
    for _ in range(steps):
        expected.append(optimizer.param_groups[0]["lr"] / lr)
        optimizer.step()
        schedule.step() if len(expected) < steps else None
    factors = NamedSchedule(name, options, lr).factors(steps)
    assert factors == pytest.approx(expected)
    assert factor_at(factors, 3.6) == factors[4]
    assert factor_at(factors, 99) == factors[-1]


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("torch.optim.lr_scheduler:OneCycleLR", {}, "changes the momentum too"),
        ("torch.optim.lr_scheduler:ReduceLROnPlateau", {}, "metrics"),
        ("torch.optim.lr_scheduler:StepLR", {}, "missing a required argument: 'step_size'"),
        ("torch.nn:Linear", {}, "unexpected|missing"),
        ("torch.optim.lr_scheduler:LinearLR", {"start_factor": 2}, "cannot be used"),
    ],
)
def test_schedules_that_cannot_be_made_are_told(name: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(NamedCodeError, match=reason):
        require_schedule(NamedSchedule(name, options, 0.1))


def test_losses_are_modules_or_functions_with_their_options() -> None:
    logits, ids = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.arange(4) % 3
    weighted = named_loss("torch.nn:CrossEntropyLoss", {"weight": [1.0, 2.0, 3.0]})
    expected = torch.nn.functional.cross_entropy(logits, ids, weight=torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(weighted(logits, ids), expected)
    smoothed = named_loss("torch.nn.functional:cross_entropy", {"label_smoothing": 0.3})
    torch.testing.assert_close(
        smoothed(logits, ids), torch.nn.functional.cross_entropy(logits, ids, label_smoothing=0.3)
    )


@pytest.mark.parametrize(
    ("name", "options", "kind", "reason"),
    [
        ("torch.nn:MultiMarginLoss", {}, "multi_label", "fails on"),
        ("torch.nn:CrossEntropyLoss", {"reduction": "none"}, "single_label", "not one number"),
        ("torch.nn:CrossEntropyLoss", {"weight": [1.0, 2.0]}, "single_label", "fails on"),
        ("torch.nn.functional:one_hot", {}, "single_label", "fails on|not one number"),
        ("torch.nn:CrossEntropyLoss", {"weigt": [1.0]}, "single_label", "unexpected keyword argument 'weigt'"),
        ("torch.nn:Linear", {"in_features": 3, "out_features": 3}, "single_label", "parameters of its own"),
        ("torch.optim:RAdam", {}, "single_label", "neither a function nor a torch.nn.Module"),
    ],
)
def test_losses_that_do_not_fit_are_told(name: str, options: dict[str, Any], kind: str, reason: str) -> None:
    with pytest.raises(NamedCodeError, match=reason):
        require_loss(name, named_loss(name, options), 3, toy_targets(kind, 3))
