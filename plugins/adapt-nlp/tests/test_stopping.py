"""Ctrl-C and SIGTERM while a run trains: a checkpoint, a clean end, and how to go on. A second one ends at once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InterruptedRunError
from adapt_core.run_folder.checkpoints import newest_complete, step_of
from adapt_core.testing.forks import COMMAND, LOOP, Forked, fork_server_of

Run = Callable[..., Any]
LONG = {"EPOCHS": 100_000, "INTERVAL": "no", "DO_EVAL": False, "LOGGING_STEPS": 1}


def begun(program: Forked, tmp_path: Path) -> Forked:
    """Return the program once it has trained three steps."""
    metrics = tmp_path / "run" / "metrics.jsonl"
    program.wait_until(lambda: metrics.is_file() and metrics.read_text(encoding="utf-8").count("\n") >= 3, 240)
    return program


@pytest.fixture
def start(keys: dict[str, Any], tmp_path: Path) -> Iterator[Callable[..., Forked]]:
    """Starts `adapt run` with changes, its imports done, and waits until it has trained three steps."""
    started: list[Forked] = []

    def begin(program: str = COMMAND, **changes: Any) -> Forked:
        (tmp_path / "c.json").write_text(json.dumps({**keys, **LONG, **changes}), encoding="utf-8")
        started.append(fork_server_of(*LOOP).start(program, "run", "c.json", folder=tmp_path))
        return begun(started[-1], tmp_path)

    yield begin
    for program in started:
        program.kill()


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_the_run_with_a_checkpoint(
    start: Callable[..., Forked], tmp_path: Path, number: signal.Signals, name: str
) -> None:
    program = start(NUM_WORKERS=1)
    program.send_signal(number)
    code, errors = program.wait(240), program.stderr
    assert code == 130, errors
    assert f"{name}: stopping after this step with a checkpoint" in errors
    last = errors.strip().splitlines()[-1]
    checkpoint = newest_complete(tmp_path / "run" / "checkpoints")
    assert checkpoint is not None
    assert last.startswith(f"interrupted: stopped by {name} at step {step_of(checkpoint)}, whose checkpoint is written")
    assert "--resume" in last
    assert "Traceback" not in errors
    assert not (tmp_path / "run" / "result.json").exists()


HANGING = (
    "import time, transformers.trainer as trainer\n"
    "whole = trainer.Trainer.training_step\n"
    "def training_step(self, *args, **kwargs):\n"
    "    while self.state.global_step >= 3:\n"
    "        time.sleep(0.01)\n"
    "    return whole(self, *args, **kwargs)\n"
    "trainer.Trainer.training_step = training_step\n"
)


def test_a_second_signal_ends_at_once(start: Callable[..., Forked]) -> None:
    program = start(HANGING + COMMAND)
    program.send_signal(signal.SIGINT)
    program.wait_until(lambda: "Once more ends at once" in program.stderr, 60)
    program.send_signal(signal.SIGINT)
    assert program.wait(60) == 130, program.stderr
    assert program.stderr.rstrip().endswith("interrupted.")
    assert "Traceback" not in program.stderr


def test_a_stopped_and_resumed_run_equals_one_that_was_not_stopped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file
    from torch import equal

    from adapt_core.hf.loop.callbacks import MetricsCallback

    common = {"EPOCHS": 2, "INTERVAL": "steps", "INTERVAL_STEPS": 4}
    whole = run(**common, OUTPUT_DIR=str(tmp_path / "whole"))
    on_step_end = MetricsCallback.on_step_end

    def signal_at_5(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
        on_step_end(self, args, state, control, **options)
        if state.global_step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(MetricsCallback, "on_step_end", signal_at_5)
    with pytest.raises(InterruptedRunError, match=r"stopped by SIGTERM at step 5.*--resume"):
        run(**common)
    monkeypatch.undo()
    resumed = run(**common, resume=True)
    assert resumed.metrics == whole.metrics
    ours, theirs = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("run", "whole"))
    assert ours.keys() == theirs.keys()
    assert all(equal(ours[name], theirs[name]) for name in ours)
