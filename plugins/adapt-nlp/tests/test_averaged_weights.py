"""EMA: the weights that are evaluated, kept and saved are the average of those of the steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adapt_core import api
from adapt_core.errors import ConfigError, InterruptedRunError

Run = Callable[..., Any]
Weights = dict[str, torch.Tensor]
EVERY_STEP = {"INTERVAL": "steps", "INTERVAL_STEPS": 1, "NO_OF_CHECKPOINTS": 99, "EPOCHS": 2}


def saved(folder: Path) -> Weights:
    return load_file(folder / "model" / "model.safetensors")


def of_steps(folder: Path) -> list[Weights]:
    """The weights that training went on with after each step."""
    checkpoints = sorted((folder / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return [load_file(path / "model.safetensors") for path in checkpoints]


def averaged(first: Weights, steps: list[Weights], decay: float) -> Weights:
    """The average by its definition, in double precision."""
    average = {name: tensor.double() for name, tensor in first.items()}
    for number, weights in enumerate(steps, 1):
        kept = min(decay, (1 + number) / (10 + number))
        average = {name: kept * average[name] + (1 - kept) * weights[name].double() for name in average}
    return average


@pytest.fixture
def untrained(run: Run, tmp_path: Path) -> Weights:
    run(DO_TRAIN=False, DO_EVAL=False, OUTPUT_DIR=str(tmp_path / "untrained"))
    return saved(tmp_path / "untrained")


@pytest.mark.parametrize("decay", [0.999, 0.3])
def test_the_saved_model_is_the_average_and_training_is_not_changed_by_it(
    run: Run, tmp_path: Path, untrained: Weights, decay: float
) -> None:
    plain = run(**EVERY_STEP, OUTPUT_DIR=str(tmp_path / "plain"))
    result = run(**EVERY_STEP, EMA=decay, OUTPUT_DIR=str(tmp_path / "averaged"))
    steps, same = of_steps(tmp_path / "plain"), of_steps(tmp_path / "averaged")
    assert len(steps) == plain.steps == 8
    assert all(torch.equal(one[name], other[name]) for one, other in zip(steps, same, strict=True) for name in one)
    expected, found = averaged(untrained, steps, decay), saved(tmp_path / "averaged")
    assert all(torch.allclose(found[name].double(), expected[name], rtol=1e-5, atol=1e-6) for name in found)
    assert not all(torch.allclose(found[name], steps[-1][name], atol=1e-4) for name in found)
    assert result.metrics["after"] != plain.metrics["after"]


def test_what_is_evaluated_while_it_trains_is_what_is_saved(run: Run, tmp_path: Path) -> None:
    keys = {"EPOCHS": 2, "SAVE_METHOD": "save_pretrained"}
    result = run(**keys, EMA=0.9, OUTPUT_DIR=str(tmp_path / "averaged"))
    model = str(tmp_path / "averaged" / "model")
    again = run(**keys, MODEL_PATH=model, DO_TRAIN=False, OUTPUT_DIR=str(tmp_path / "again"))
    assert again.metrics["before"]["loss"] == pytest.approx(result.metrics["after"]["loss"], abs=1e-5)


def test_the_best_weights_are_the_average_at_the_best_step(run: Run, tmp_path: Path, untrained: Weights) -> None:
    keys = {**EVERY_STEP, "LR": 0.05, "EMA": 0.5, "METRIC_FOR_BEST": "loss"}
    run(**keys, KEEP="best", OUTPUT_DIR=str(tmp_path / "best"))
    log = (tmp_path / "best" / "metrics.jsonl").read_text().splitlines()
    losses = {line["step"]: line["loss"] for line in map(json.loads, log) if line["phase"] == "eval"}
    best = min(losses, key=lambda step: losses[step])
    expected = averaged(untrained, of_steps(tmp_path / "best")[:best], 0.5)
    found = saved(tmp_path / "best")
    assert all(torch.allclose(found[name].double(), expected[name], rtol=1e-5, atol=1e-6) for name in found)


def test_a_resumed_run_goes_on_averaging(run: Run, tmp_path: Path) -> None:
    keys = {"EMA": 0.9, "EPOCHS": 2}
    run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    with pytest.raises(InterruptedRunError):
        run(**keys, STOP_AFTER="3 steps", OUTPUT_DIR=str(tmp_path / "stopped"))
    run(**keys, resume=True, OUTPUT_DIR=str(tmp_path / "stopped"))
    whole, resumed = saved(tmp_path / "whole"), saved(tmp_path / "stopped")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_an_adapter_is_averaged_too(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("adapt_peft_ssf")
    keys = {"method": "LoRA", "EPOCHS": 2}
    plain = run(**keys, OUTPUT_DIR=str(tmp_path / "plain"))
    result = run(**keys, EMA=0.9, OUTPUT_DIR=str(tmp_path / "averaged"))
    assert result.merge["max_difference"] <= result.merge["tolerance"]
    assert result.metrics["after"]["loss"] != plain.metrics["after"]["loss"]


def test_the_averages_are_foretold(keys: dict[str, Any]) -> None:
    plain = api.estimate(api.check(keys)).memory
    averages = api.estimate(api.check({**keys, "EMA": 0.9})).memory
    assert plain is not None
    assert averages is not None
    assert averages.optimizer - plain.optimizer == plain.gradients


@pytest.mark.parametrize("value", [0, 1, 1.5])
def test_a_share_is_between_0_and_1(keys: dict[str, Any], value: float) -> None:
    with pytest.raises(ConfigError, match="EMA"):
        api.check({**keys, "EMA": value})
