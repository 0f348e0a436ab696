"""A run that was cut off goes on as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file

import adapt_core
from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.execution.command import Command
from adapt_core.runtime import interrupts

from .test_training_parameters import Run, equal, metric_lines

Keys = dict[str, Any]


class Stopped(Exception):
    """Thrown into a run to cut it off."""


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the next run stop hard right after a step."""
    from adapt_core.hf.loop.callbacks import MetricsCallback

    on_step_end = MetricsCallback.on_step_end

    def after(step: int) -> None:
        def stop(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
            on_step_end(self, args, state, control, **options)
            if state.global_step == step:
                raise Stopped

        monkeypatch.setattr(MetricsCallback, "on_step_end", stop)

    return after


@pytest.fixture(
    scope="module",
    params=[{"GROUP_BY_LENGTH": False}, {}, {"KEEP": "best", "NUM_WORKERS": 1}],
    ids=["at random", "grouped", "best"],
)
def common(request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Settings of runs of 8 steps with dropout."""
    dropout = tmp_path_factory.mktemp("model") / "dropout"
    shutil.copytree(tiny_encoder, dropout)
    config = json.loads((dropout / "config.json").read_text())
    (dropout / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.2}))
    return {"MODEL_PATH": str(dropout), "EPOCHS": 2, "INTERVAL": "steps", "INTERVAL_STEPS": 2, **request.param}


@pytest.fixture(scope="module")
def whole(small: Keys, common: Keys, tmp_path_factory: pytest.TempPathFactory) -> adapt_core.RunResult:
    """A run that is never interrupted."""
    return adapt_core.run({**small, **common, "OUTPUT_DIR": str(tmp_path_factory.mktemp("whole") / "run")})


@pytest.mark.parametrize("stop_after", [3, 5, 7])
def test_a_resumed_run_equals_one_that_was_never_interrupted(
    run: Run,
    common: Keys,
    whole: adapt_core.RunResult,
    tmp_path: Path,
    cut_off: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
) -> None:
    with monkeypatch.context():
        cut_off(stop_after)
        with pytest.raises(Stopped):
            run(**common)
        monkeypatch.undo()
    with pytest.raises(InputError, match="--resume"):
        run(**common)
    resumed = run(**common, resume=True)
    assert f"(step {stop_after // 2 * 2})" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert resumed.metrics == whole.metrics
    assert equal(
        load_file(Path(whole.output_dir) / "model" / "model.safetensors"),
        load_file(tmp_path / "run" / "model" / "model.safetensors"),
    )
    steps = [(line["phase"], line["step"]) for line in metric_lines(tmp_path / "run", "eval")]
    assert steps == [("eval", 2), ("eval", 4), ("eval", 6), ("eval", 8)]


def test_resume_from_checkpoint_in_the_config_is_the_same_switch(run: Run, tmp_path: Path) -> None:
    first = run(EPOCHS=2)
    checkpoint = tmp_path / "run" / "checkpoints" / "checkpoint-4"
    again = run(EPOCHS=2, RESUME_FROM_CHECKPOINT=str(checkpoint), OUTPUT_DIR=str(tmp_path / "again"))
    assert again.steps == 8
    assert again.metrics["after"] == first.metrics["after"]


@pytest.mark.parametrize("step", [4, 8])
def test_a_stop_at_the_end_of_an_epoch_loses_no_evaluation(run: Run, tmp_path: Path, step: int) -> None:
    whole = run(EPOCHS=2)
    expected = metric_lines(tmp_path / "run", "eval")
    again = {"EPOCHS": 2, "OUTPUT_DIR": str(tmp_path / "stopped")}
    with pytest.raises(InterruptedRunError, match=f"STOP_AFTER at step {step},"):
        run(**again, STOP_AFTER=f"{step} steps")
    resumed = run(**again, resume=True)
    assert [line["step"] for line in expected] == [4, 8]
    assert metric_lines(tmp_path / "stopped", "eval") == expected
    assert resumed.metrics == whole.metrics


@pytest.mark.parametrize("repeated", ["FOLDS", "SEEDS"])
def test_the_runs_of_a_command_share_the_time_of_stop_after(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeated: str
) -> None:
    run_one, ahead = Command.execute, 0.0

    def execute(self: Command) -> adapt_core.RunResult:
        nonlocal ahead
        result = run_one(self)
        ahead = 7200.0
        return result

    # The second run begins two hours later, by the clock that the runs look at.
    monkeypatch.setattr(Command, "execute", execute)
    monkeypatch.setattr(interrupts, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + ahead))
    with pytest.raises(InterruptedRunError, match="STOP_AFTER at step 1,"):
        run(**{repeated: 2, "STOP_AFTER": "1h"})
    assert sum(path.name == "result.json" for path in tmp_path.rglob("*")) == 1
