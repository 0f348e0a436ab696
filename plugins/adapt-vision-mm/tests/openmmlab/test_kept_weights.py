"""EMA and KEEP: soup in mmengine's loop: the weights that a run is evaluated with, and ends with."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core import api
from adapt_core.errors import ConfigError, InterruptedRunError
from adapt_core.run_folder.checkpoints import found, step_of

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

Run = Callable[..., Any]
Weights = dict[str, torch.Tensor]
EVERY_STEP = {"INTERVAL": "steps", "INTERVAL_STEPS": 1, "NO_OF_CHECKPOINTS": 99, "EPOCHS": 2}
SOUP = {**EVERY_STEP, "KEEP": "soup", "METRIC_FOR_BEST": "loss", "NO_OF_CHECKPOINTS": 3, "LR": 2e-3}
STATISTICS = ("running_mean", "running_var")


def saved(folder: Path) -> Weights:
    weights: Weights = torch.load(folder / "model" / "checkpoint.pth", weights_only=True)["state_dict"]
    return weights


def states(folder: Path) -> dict[int, dict[str, Any]]:
    held = {step_of(path): torch.load(path / "state.pt", weights_only=True) for path in found(folder / "checkpoints")}
    return dict(sorted(held.items()))


def averaged(first: Weights, steps: list[Weights], decay: float) -> Weights:
    average = {name: tensor.double() for name, tensor in first.items()}
    for number, weights in enumerate(steps, 1):
        kept = min(decay, (1 + number) / (10 + number))
        average = {name: kept * average[name] + (1 - kept) * weights[name].double() for name in average}
    return average


def stopped_at(step: int, run: Run, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop a run by a signal at a step."""
    from adapt_vision_mm.openmmlab.hooks import Watch

    after_train_iter = Watch.after_train_iter

    def signal_then(self: Any, runner: Any, *args: Any, **kwargs: Any) -> None:
        after_train_iter(self, runner, *args, **kwargs)
        if self._progress.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Watch, "after_train_iter", signal_then)
        with pytest.raises(InterruptedRunError):
            run(**keys)


@pytest.mark.no_gpu
def test_the_saved_model_is_the_average_of_the_steps(run: Run, tmp_path: Path) -> None:
    untrained = run(DO_TRAIN=False, DO_EVAL=False, OUTPUT_DIR=str(tmp_path / "untrained"))
    assert untrained.steps == 0
    result = run(**EVERY_STEP, EMA=0.3)
    steps = [state["model"] for state in states(tmp_path / "run").values()]
    names = [name for name in saved(tmp_path / "run") if name in steps[0] and steps[0][name].is_floating_point()]
    first = {name: saved(tmp_path / "untrained")[name] for name in names}
    expected = averaged(first, steps, 0.3)
    after = saved(tmp_path / "run")
    assert all(torch.allclose(after[name].double(), expected[name], rtol=1e-4, atol=1e-6) for name in names)
    assert not all(torch.allclose(after[name], steps[-1][name], atol=1e-6) for name in names)
    plain = run(**EVERY_STEP, OUTPUT_DIR=str(tmp_path / "plain"))
    same = [state["model"] for state in states(tmp_path / "plain").values()]
    assert all(torch.equal(one[name], other[name]) for one, other in zip(steps, same, strict=True) for name in one)
    assert result.metrics["after"] != plain.metrics["after"]


@pytest.mark.no_gpu
def test_a_resumed_run_goes_on_averaging(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"EPOCHS": 2, "EMA": 0.9}
    whole = run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    stopped_at(3, run, keys, monkeypatch)
    resumed = run(**keys, resume=True)
    assert resumed.metrics == whole.metrics
    assert all(torch.equal(weight, saved(tmp_path / "run")[name]) for name, weight in saved(tmp_path / "whole").items())


def test_the_best_weights_are_the_average_at_the_best_step(run: Run, tmp_path: Path) -> None:
    run(**{**EVERY_STEP, "LR": 0.02}, EMA=0.5, KEEP="best", METRIC_FOR_BEST="loss")
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    losses = {line["step"]: line["loss"] for line in lines if line["phase"] == "eval"}
    best = states(tmp_path / "run")[min(losses, key=lambda step: losses[step])]
    after = saved(tmp_path / "run")
    assert all(torch.equal(average, after[name]) for name, average in best["averages"].items())


@pytest.mark.no_gpu
def test_a_soup_is_the_mean_of_the_checkpoints_that_were_taken(run: Run, tmp_path: Path) -> None:
    result = run(**SOUP)
    taken = [states(tmp_path / "run")[step]["model"] for step in result.soup["steps"]]
    assert len(taken) > 1
    after = saved(tmp_path / "run")
    moved = [name for name in after if name.endswith(STATISTICS) and not torch.equal(taken[0][name], taken[1][name])]
    assert result.soup["batch_norms"] == len(moved) / 2 > 0
    for name, tensor in after.items():
        if name not in taken[0] or not tensor.is_floating_point():
            continue
        mean = torch.stack([weights[name].double() for weights in taken]).mean(0)
        if name not in moved:
            assert torch.allclose(tensor.double(), mean, rtol=1e-6, atol=1e-7), name
    assert not all(torch.allclose(after[name], taken[0][name]) for name in moved)


def test_a_soup_is_never_worse_than_the_best_checkpoint(run: Run, tmp_path: Path) -> None:
    best = run(**{**SOUP, "KEEP": "best"}, OUTPUT_DIR=str(tmp_path / "best"))
    result = run(**SOUP)
    assert result.metrics["after"]["loss"] == pytest.approx(result.soup["value"], abs=1e-6)
    assert result.metrics["after"]["loss"] <= best.metrics["after"]["loss"]
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    losses = {line["step"]: line["loss"] for line in lines if line["phase"] == "eval"}
    kept = sorted(losses, key=lambda step: losses[step])[:3]
    assert [each["step"] for each in result.soup["tried"]] == kept
    assert set(states(tmp_path / "run")) == {*kept, max(losses)}


@pytest.mark.no_gpu
@pytest.mark.parametrize("step", [3, 8])
def test_a_resumed_run_ends_with_the_same_soup(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    keys = {**SOUP, "INTERVAL_STEPS": 2}
    whole = run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    stopped_at(step, run, keys, monkeypatch)
    resumed = run(**keys, resume=True)
    assert resumed.soup == whole.soup
    assert all(torch.equal(weight, saved(tmp_path / "run")[name]) for name, weight in saved(tmp_path / "whole").items())


def test_a_soup_of_averages_is_made_of_them(run: Run, tmp_path: Path) -> None:
    result = run(**SOUP, EMA=0.5)
    taken = [states(tmp_path / "run")[step]["averages"] for step in result.soup["steps"]]
    after = saved(tmp_path / "run")
    for name in (name for name in taken[0] if not name.endswith(STATISTICS)):
        mean = torch.stack([weights[name].double() for weights in taken]).mean(0)
        assert torch.allclose(after[name].double(), mean, rtol=1e-6, atol=1e-7), name


def test_evaluations_are_needed(squares: Path, tmp_path: Path) -> None:
    keys = {"TASK": "object_detection", "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco", "OUTPUT_DIR": str(tmp_path / "r")}
    with pytest.raises(ConfigError, match=r"KEEP.*needs evaluations"):
        api.check({**keys, "CUSTOM_DATASET_PATH": str(squares), "KEEP": "soup", "INTERVAL": "no"})
