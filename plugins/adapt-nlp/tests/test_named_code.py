"""OPTIMIZER, SCHEDULER_TYPE and LOSS by dotted names: they take effect, resume, and faults come with their line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_pre_hook

import adapt_core
from adapt_core.errors import ConfigError, InputError, InterruptedRunError
from adapt_core.execution.finished_run import FinishedRun

Run = Callable[..., Any]


@pytest.fixture
def steps() -> Iterator[list[tuple[torch.optim.Optimizer, float]]]:
    """The optimizer and the rate of each step."""
    seen: list[tuple[torch.optim.Optimizer, float]] = []

    def see(optimizer: torch.optim.Optimizer, *_: object) -> None:
        seen.append((optimizer, float(optimizer.param_groups[0]["lr"])))

    handle = register_optimizer_step_pre_hook(see)
    yield seen
    handle.remove()


def of_run(seen: list[tuple[torch.optim.Optimizer, float]], kind: type) -> list[float]:
    """The rates of the steps of optimizers of a kind."""
    return [rate for optimizer, rate in seen if type(optimizer) is kind]


def test_an_optimizer_of_torch_trains_with_its_options(run: Run, steps: Any) -> None:
    result = run(
        OPTIMIZER="torch.optim:NAdam", OPTIMIZER_OPTIONS={"momentum_decay": 0.02}, WEIGHT_DECAY=0.1, do_eval=False
    )
    assert result.training_check["verdict"] == "learned"
    trained = [optimizer for optimizer, _ in steps if type(optimizer) is torch.optim.NAdam][-1]
    assert {group["momentum_decay"] for group in trained.param_groups} == {0.02}
    assert {group["weight_decay"] for group in trained.param_groups} == {0.1, 0.0}


def test_a_schedule_sets_the_rate_of_each_step(run: Run, steps: Any) -> None:
    run(
        OPTIMIZER="torch.optim:RAdam",
        SCHEDULER_TYPE="transformers:get_cosine_with_min_lr_schedule_with_warmup",
        SCHEDULER_OPTIONS={"min_lr_rate": 0.5},
        WARMUP_ITERS=1,
        EPOCHS=2,
        LR=0.01,
        do_eval=False,
    )
    rates = of_run(steps, torch.optim.RAdam)[-8:]
    import math

    cosine = [0.5 + 0.5 * (1 + math.cos(math.pi * (k - 1) / 7)) / 2 for k in range(1, 8)]
    assert rates == pytest.approx([0.0, *(0.01 * factor for factor in cosine)])


def test_a_run_that_is_cut_off_goes_on_bit_for_bit(run: Run, tmp_path: Path, steps: Any) -> None:
    keys = {"OPTIMIZER": "torch.optim:NAdam", "SCHEDULER_TYPE": "torch.optim.lr_scheduler:OneCycleLR"}
    keys |= {"SCHEDULER_OPTIONS": {"cycle_momentum": False}, "INTERVAL": "steps", "INTERVAL_STEPS": 1, "do_eval": False}
    run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    whole = of_run(steps, torch.optim.NAdam)[-4:]
    steps.clear()
    with pytest.raises(InterruptedRunError):
        run(**keys, STOP_AFTER="2 steps")
    run(**keys, resume=True)
    assert [rate for rate in of_run(steps, torch.optim.NAdam) if rate != keys.get("LR", 0.01)][-4:] == whole
    first, second = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "run"))
    assert all(first[name].equal(second[name]) for name in first)


def test_a_loss_takes_the_place_of_cross_entropy(run: Run, tmp_path: Path) -> None:
    keys = {"GRADIENT_ACCUMULATION_STEPS": 2, "BATCH_SIZE": 8, "LOGGING_STEPS": 1}
    plain = run(**keys)
    named = run(**keys, LOSS="torch.nn:CrossEntropyLoss", OUTPUT_DIR=str(tmp_path / "named"))
    assert named.metrics["after"]["loss"] == pytest.approx(plain.metrics["after"]["loss"], abs=1e-5)
    other = run(
        **keys, LOSS="torch.nn:MultiMarginLoss", LOSS_OPTIONS={"margin": 2.0}, OUTPUT_DIR=str(tmp_path / "margin")
    )
    assert other.metrics["before"]["loss"] != pytest.approx(plain.metrics["before"]["loss"], abs=1e-3)
    assert other.training_check["verdict"] == "learned"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("OPTIMIZER: torch.optim:Nope", "OPTIMIZER: torch.optim has no Nope"),
        ("OPTIMIZER: os:system", "OPTIMIZER: os is not an installed package"),
        ("SCHEDULER_TYPE: torch.optim.lr_scheduler:StepLR", "SCHEDULER_TYPE: missing a required argument"),
        ("LOSS: torch.optim:RAdam", "LOSS: torch.optim:RAdam is neither"),
        ("OPTIMIZER_OPTIONS: {eps: 1}", "OPTIMIZER_OPTIONS: are of a dotted name"),
        ("LOSS_OPTIONS: {eps: 1}", "LOSS_OPTIONS: are of a dotted name"),
    ],
)
def test_faults_come_with_key_and_line(small: dict[str, Any], tmp_path: Path, line: str, reason: str) -> None:
    config = tmp_path / "config.yaml"
    lines = [f"{key}: {json.dumps(value)}" for key, value in small.items()]
    config.write_text("\n".join([*lines, line]) + "\n")
    with pytest.raises(ConfigError) as caught:
        adapt_core.check(config)
    assert f"config.yaml:{len(lines) + 1}: {reason}" in str(caught.value)


def test_adam_s_own_keys_contradict_a_named_optimizer(run: Run) -> None:
    with pytest.raises(ConfigError, match="BETA1: has no effect on"):
        run(OPTIMIZER="torch.optim:RAdam", BETA1=0.5)
    with pytest.raises(ConfigError, match="STEP_IN_BACKWARD"):
        run(OPTIMIZER="torch.optim:RAdam", STEP_IN_BACKWARD=True, MAX_GRAD_NORM=0)


def test_a_loss_that_does_not_fit_the_data_is_told_before_training(run: Run) -> None:
    with pytest.raises(InputError, match=r"LOSS: .*CrossEntropyLoss fails on"):
        run(LOSS="torch.nn:CrossEntropyLoss", LOSS_OPTIONS={"weight": [1.0, 2.0]})
    with pytest.raises(InputError, match="CLASS_WEIGHTS is of cross-entropy"):
        run(LOSS="torch.nn:CrossEntropyLoss", CLASS_WEIGHTS="balanced")


def test_a_finished_run_s_config_imports_nothing(run: Run, tmp_path: Path) -> None:
    """The config of a run folder may be somebody else's: what it names is not even looked for."""
    run(do_eval=False)
    config = tmp_path / "run" / "config.yaml"
    text = config.read_text()
    changed = text.replace("OPTIMIZER: adamw_torch", "OPTIMIZER: nowhere_to_be_found:Evil")
    assert changed != text
    config.write_text(changed)
    assert FinishedRun.open(tmp_path / "run").plan.training.optimizer == "nowhere_to_be_found:Evil"


def test_a_run_that_goes_on_from_another_takes_no_code_from_its_config(run: Run, tmp_path: Path) -> None:
    run(do_eval=False, LOSS="torch.nn:CrossEntropyLoss", LOSS_OPTIONS={"label_smoothing": 0.1})
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("torch.nn:CrossEntropyLoss", "nowhere_to_be_found:Evil"))
    assert "nowhere_to_be_found:Evil" in config.read_text()
    keys = {"START_FROM": str(tmp_path / "run"), "OUTPUT_DIR": str(tmp_path / "on"), "do_eval": False}
    result = run(**keys, MODEL_PATH=None)
    assert result.status == "finished"
