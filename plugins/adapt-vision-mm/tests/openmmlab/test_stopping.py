"""A detector's run that a signal ends, and one whose loss is not finite."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.execution import budgets
from adapt_core.run_folder.checkpoints import newest_complete, step_of
from adapt_core.runtime.budget import Budget

from .detectors import lines

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

Run = Callable[..., Any]


@pytest.mark.no_gpu
def test_a_signal_ends_training_with_a_checkpoint_and_a_resumed_run_equals_the_whole(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_vision_mm.openmmlab.hooks import Watch

    common = {"EPOCHS": 2, "INTERVAL": "epoch"}
    whole = run(**common, OUTPUT_DIR=str(tmp_path / "whole"))
    after_train_iter = Watch.after_train_iter

    def signal_at_3(self: Any, runner: Any, *args: Any, **kwargs: Any) -> None:
        after_train_iter(self, runner, *args, **kwargs)
        if self._progress.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Watch, "after_train_iter", signal_at_3)
        with pytest.raises(InterruptedRunError, match=r"stopped by SIGTERM at step 3.*--resume"):
            run(**common)
    checkpoint = newest_complete(tmp_path / "run" / "checkpoints")
    assert checkpoint is not None
    assert step_of(checkpoint) == 3
    resumed = run(**common, resume=True)
    assert resumed.metrics == whole.metrics
    assert lines(tmp_path / "run", "train") == lines(tmp_path / "whole", "train")
    states = [torch.load(tmp_path / name / "model" / "checkpoint.pth", weights_only=True) for name in ("run", "whole")]
    ours, theirs = (state["state_dict"] for state in states)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_loss_that_is_not_finite_names_step_and_images(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_vision_mm.openmmlab.hooks import Watch

    after_train_iter = Watch.after_train_iter

    def burst(self: Any, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.iter == 2:
            outputs = {**outputs, "loss": outputs["loss"] * float("nan")}
        after_train_iter(self, runner, batch_idx, data_batch, outputs)

    monkeypatch.setattr(Watch, "after_train_iter", burst)
    with pytest.raises(InputError, match=r"not finite at step \d, on .*\.png.*\.png") as caught:
        run(INTERVAL="steps", INTERVAL_STEPS=1)
    assert len(str(caught.value).splitlines()) <= 10
    assert step_of(newest_complete(tmp_path / "run" / "checkpoints") or Path()) == 2


def test_a_budget_trains_the_steps_that_fit_and_the_rate_arrives_at_zero(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def a_second_each(seconds: float, _since: float, _of: str) -> Budget:
        ticks = itertools.count()
        return Budget(seconds, 0.0, clock=lambda: float(next(ticks)))

    monkeypatch.setattr(budgets, "Budget", a_second_each)
    keys = {"EPOCHS": 200, "BUDGET": "16s", "SCHEDULER_TYPE": "linear", "END": 200, "INTERVAL": "no"}
    result = run(**keys)
    assert 7 <= result.steps <= 14
    rates = [line["learning_rate"] for line in lines(tmp_path / "run", "train")]
    assert len(rates) == result.steps
    assert rates[0] == 4e-3
    assert rates[-1] <= 0.2 * rates[0]
    with pytest.raises(InterruptedRunError, match="at step 5"):
        run(**keys, OUTPUT_DIR=str(tmp_path / "stopped"), STOP_AFTER="5 steps")
    resumed = run(**keys, OUTPUT_DIR=str(tmp_path / "stopped"), resume=True)
    assert 5 < resumed.steps <= 14
    last = lines(tmp_path / "stopped", "train")[-1]["learning_rate"]
    assert last == pytest.approx(4e-3 / resumed.steps, rel=0.05)
