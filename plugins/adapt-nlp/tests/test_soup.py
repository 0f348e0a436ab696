"""KEEP: soup: the run ends with the greedy average of its best checkpoints."""

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
from adapt_core.run_folder.checkpoints import found, step_of

Run = Callable[..., Any]
Weights = dict[str, torch.Tensor]
SOUP = {
    "KEEP": "soup",
    "INTERVAL": "steps",
    "INTERVAL_STEPS": 2,
    "NO_OF_CHECKPOINTS": 4,
    "EPOCHS": 4,
    "LR": 0.03,
    "METRIC_FOR_BEST": "loss",
}
EVEN = {**SOUP, "METRIC_FOR_BEST": "accuracy", "LR": 1e-3}
"""Steps so small that checkpoints are equally right, and join."""


def saved(folder: Path) -> Weights:
    return load_file(folder / "model" / "model.safetensors")


def evaluated(folder: Path) -> dict[int, float]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if line["phase"] == "eval"}


def steps_of(folder: Path) -> list[int]:
    return sorted(map(step_of, found(folder / "checkpoints")))


def test_the_saved_model_is_the_mean_of_the_checkpoints_that_were_taken(run: Run, tmp_path: Path) -> None:
    result = run(**SOUP)
    steps = result.soup["steps"]
    assert len(steps) > 1
    taken = [load_file(tmp_path / "run" / "checkpoints" / f"checkpoint-{step}" / "model.safetensors") for step in steps]
    for name, tensor in saved(tmp_path / "run").items():
        mean = torch.stack([weights[name].double() for weights in taken]).mean(0)
        assert torch.allclose(tensor.double(), mean, rtol=1e-6, atol=1e-7), name
    assert not all(torch.equal(tensor, taken[0][name]) for name, tensor in saved(tmp_path / "run").items())


def test_validation_is_never_worse_than_that_of_the_best_checkpoint(run: Run, tmp_path: Path) -> None:
    best = run(**{**SOUP, "KEEP": "best"}, OUTPUT_DIR=str(tmp_path / "best"))
    result = run(**SOUP)
    assert result.metrics["after"]["loss"] == pytest.approx(result.soup["value"], abs=1e-6)
    assert result.metrics["after"]["loss"] < best.metrics["after"]["loss"]


def test_checkpoints_join_from_the_best_on_where_the_average_is_not_worse(run: Run, tmp_path: Path) -> None:
    soup = run(**SOUP).soup
    losses = evaluated(tmp_path / "run")
    ranked = sorted(losses, key=lambda step: losses[step])[:4]
    assert [each["step"] for each in soup["tried"]] == ranked
    assert [each["alone"] for each in soup["tried"]] == [losses[step] for step in ranked]
    value = soup["tried"][0]["alone"]
    for each in soup["tried"]:
        assert each["taken"] == (each["together"] <= value)
        value = each["together"] if each["taken"] else value
    assert soup["steps"] == [each["step"] for each in soup["tried"] if each["taken"]]
    assert (soup["metric"], soup["better"], soup["value"]) == ("loss", "lower", value)


def test_an_average_that_is_worse_is_not_taken(run: Run, tmp_path: Path) -> None:
    keys = {**SOUP, "LR": 0.5, "SCHEDULER_TYPE": "constant"}  # far apart, with no low ground between
    soup = run(**keys).soup
    assert not all(each["taken"] for each in soup["tried"])
    best = run(**{**keys, "KEEP": "best"}, OUTPUT_DIR=str(tmp_path / "best"))
    if soup["steps"] == [soup["tried"][0]["step"]]:
        assert all(
            torch.equal(saved(tmp_path / "run")[name], weight) for name, weight in saved(tmp_path / "best").items()
        )
    assert soup["value"] <= best.metrics["after"]["loss"]


def test_the_best_checkpoints_are_kept_and_the_newest(run: Run, tmp_path: Path) -> None:
    run(**{**SOUP, "NO_OF_CHECKPOINTS": 2, "LR": 0.2, "SCHEDULER_TYPE": "constant"})
    losses = evaluated(tmp_path / "run")
    best = sorted(losses, key=lambda step: losses[step])[:2]
    assert steps_of(tmp_path / "run") == sorted({*best, max(losses)})


@pytest.mark.parametrize("stop", ["5 steps", "8 steps", "15 steps"])
def test_a_resumed_run_ends_with_the_same_average(run: Run, tmp_path: Path, stop: str) -> None:
    keys = {**SOUP, "NO_OF_CHECKPOINTS": 3}
    whole = run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    with pytest.raises(InterruptedRunError):
        run(**keys, STOP_AFTER=stop)
    resumed = run(**keys, resume=True)
    assert resumed.soup == whole.soup
    assert all(torch.equal(weight, saved(tmp_path / "run")[name]) for name, weight in saved(tmp_path / "whole").items())


def test_the_averages_of_ema_are_what_is_averaged(run: Run, tmp_path: Path) -> None:
    result = run(**{**EVEN, "LR": 1e-5}, EMA=0.5)
    steps = result.soup["steps"]
    assert len(steps) > 1
    kept = [torch.load(tmp_path / "run/checkpoints" / f"checkpoint-{step}" / "averaged_weights.pt") for step in steps]
    for name, tensor in saved(tmp_path / "run").items():
        mean = torch.stack([weights[name].double() for weights in kept]).mean(0)
        assert torch.allclose(tensor.double(), mean, rtol=1e-6, atol=1e-7), name


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_the_factors_of_an_adapter_are_averaged_and_peft_reads_them(run: Run, tmp_path: Path, method: str) -> None:
    pytest.importorskip("adapt_peft_ssf")
    result = run(**EVEN, method=method)
    steps = result.soup["steps"]
    assert len(steps) > 1
    kept = [
        load_file(tmp_path / "run/checkpoints" / f"checkpoint-{step}" / "adapter_model.safetensors") for step in steps
    ]
    adapter = load_file(tmp_path / "run/adapter/adapter_model.safetensors")
    assert adapter.keys() == kept[0].keys()
    for name, tensor in adapter.items():
        mean = torch.stack([weights[name].double() for weights in kept]).mean(0)
        assert torch.allclose(tensor.double(), mean, rtol=1e-6, atol=1e-7), name
    assert result.merge["max_difference"] <= result.merge["tolerance"]
    assert result.metrics["after"]["accuracy"] == result.soup["value"]


def test_the_report_and_the_result_say_what_was_averaged(run: Run, tmp_path: Path) -> None:
    result = run(**SOUP)
    told = json.loads((tmp_path / "run" / "result.json").read_text())["soup"]
    assert told == result.soup
    page = (tmp_path / "run" / "report.html").read_text()
    assert 'id="soup"' in page
    assert all(str(each["step"]) in page.split('id="soup"')[1].split("</section>")[0] for each in told["tried"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"NO_OF_CHECKPOINTS": 1}, "averages several checkpoints"),
        ({"INTERVAL": "no"}, "needs evaluations while training"),
        ({"DO_EVAL": False}, "needs evaluations while training"),
    ],
)
def test_what_cannot_be_averaged_is_told_before_training(
    keys: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        api.check({**keys, **SOUP, **changes})


def test_a_single_checkpoint_is_foretold(keys: dict[str, Any]) -> None:
    told = api.estimate(api.check({**keys, **SOUP, "INTERVAL_STEPS": 16})).warnings
    assert any("KEEP: soup" in warning for warning in told)
    several = api.estimate(api.check({**keys, **SOUP})).warnings
    assert not any("KEEP: soup" in warning for warning in several)
