"""Every optimizer that OPTIMIZER names trains a detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import ConfigError, InterruptedRunError

from adapt_vision_mm.openmmlab.spec import MM_LOOP

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

OF_THE_SPECIFICATION = ("adamw_torch", "sgd", "paged_adamw_32bit")


def trains(run: Callable[..., Any], optimizer: str) -> None:
    package = MM_LOOP.optimizers[optimizer]
    if package is not None:
        pytest.importorskip(package, reason="needs bitsandbytes (adapt-peft-ssf brings it)")
    result = run(OPTIMIZER=optimizer, MAX_STEPS=4, DO_EVAL=False, INTERVAL="no", LR=1e-3)
    assert result.training_check["verdict"] == "learned"


@pytest.mark.parametrize("optimizer", OF_THE_SPECIFICATION)
def test_the_optimizers_of_the_specification_train(run: Callable[..., Any], optimizer: str) -> None:
    trains(run, optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [name for name in MM_LOOP.optimizers if name not in OF_THE_SPECIFICATION])
def test_every_other_optimizer_trains(run: Callable[..., Any], optimizer: str) -> None:
    trains(run, optimizer)


def test_an_optimizer_and_a_schedule_by_dotted_names_train_and_resume(run: Callable[..., Any], tmp_path: Path) -> None:
    import timm.optim
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    seen: list[float] = []

    def see(optimizer: torch.optim.Optimizer, *_: object) -> None:
        if type(optimizer) is timm.optim.Muon and len(optimizer.param_groups) > 2:  # not that of the check
            assert {group["momentum"] for group in optimizer.param_groups} == {0.9}
            seen.append(float(optimizer.param_groups[0]["lr"]))

    keys = {"OPTIMIZER": "timm.optim:Muon", "OPTIMIZER_OPTIONS": {"momentum": 0.9}, "DO_EVAL": False, "LR": 1e-3}
    keys |= {"SCHEDULER_TYPE": "torch.optim.lr_scheduler:StepLR", "SCHEDULER_OPTIONS": {"step_size": 2}}
    keys |= {"INTERVAL": "steps", "INTERVAL_STEPS": 1}
    handle = register_optimizer_step_pre_hook(see)
    try:
        result = run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
        assert result.training_check["verdict"] == "learned"
        assert seen == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])
        seen.clear()
        with pytest.raises(InterruptedRunError):
            run(**keys, STOP_AFTER="3 steps")
        run(**keys, resume=True)
    finally:
        handle.remove()
    assert seen == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])
    first, second = (
        torch.load(tmp_path / name / "model" / "checkpoint.pth", weights_only=True)["state_dict"]
        for name in ("whole", "run")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_schedule_keys_contradict_a_named_schedule(run: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="MILESTONES: has no effect"):
        run(SCHEDULER_TYPE="torch.optim.lr_scheduler:CosineAnnealingLR", MILESTONES=[1])
