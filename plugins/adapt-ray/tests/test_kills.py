"""Workers that die, commands that are killed or asked to stop: told once, and gone on with as if nothing had been."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.result import RunResult
from adapt_core.run_folder.checkpoints import newest_complete, step_of

from .conftest import equal_weights, left

Start = Callable[..., Any]


@pytest.mark.slow
def test_a_run_goes_on_after_a_killed_worker_as_if_nothing_had_been(
    keys: dict[str, Any], start: Start, whole: Path
) -> None:
    run = start({**keys, "RETRIES": 1}, "--json")
    os.kill(run.wait_for_step(7)[1], signal.SIGKILL)
    output, errors = run.process.communicate(timeout=600)
    assert run.process.returncode == 0, errors
    assert "goes on from its newest complete checkpoint (RETRIES: 0 left)" in errors
    assert RunResult.from_json(output).metrics == RunResult.from_json((whole / "result.json").read_text()).metrics
    assert equal_weights(run.folder, whole)


def test_a_killed_process_of_ray_is_told_as_a_loss_and_leaves_nothing(keys: dict[str, Any], start: Start) -> None:
    """The workers train on until Ray finds out, some seconds later."""
    run = start({**keys, "EPOCHS": 5000, "INTERVAL": "no", "DO_EVAL": False})
    run.wait_for_step(3)
    processes = run.started()
    next(process for process in processes if process.name() == "raylet").kill()
    code, errors = run.end()
    assert code == 1, errors
    assert errors.count("error:") == 1, errors
    assert "Ray says " in errors
    assert "--resume continues from the newest complete checkpoint." in errors
    assert "Traceback" not in errors
    assert left(processes) == []


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_worker_ends_the_run_with_its_rank_and_resume_goes_on(
    keys: dict[str, Any], start: Start, whole: Path, rank: int
) -> None:
    run = start(keys)
    workers = run.wait_for_step(9)
    processes = run.started()
    os.kill(workers[rank], signal.SIGKILL)
    code, errors = run.end()
    assert code == 1, errors
    assert errors.count("error:") == 1, errors
    assert f"rank {rank} (process {workers[rank]}) died: Ray says SYSTEM_ERROR" in errors
    assert "Traceback" not in errors
    assert left(processes) == []
    code, errors = start(keys, "--resume").end()
    assert code == 0, errors
    assert equal_weights(run.folder, whole)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_to_the_command_stops_all_processes_with_one_checkpoint(
    keys: dict[str, Any], start: Start, number: signal.Signals, reason: str
) -> None:
    run = start({**keys, "EPOCHS": 500, "INTERVAL": "no", "DO_EVAL": False})
    run.wait_for_step(3)
    processes = run.started()
    run.process.send_signal(number)
    code, errors = run.end()
    assert code == 130, errors
    checkpoint = newest_complete(run.folder / "checkpoints")
    assert checkpoint is not None
    assert f"stopped by {reason} at step {step_of(checkpoint)}, whose checkpoint is written" in errors
    assert left(processes) == []


@pytest.mark.slow
def test_a_signal_before_training_ends_at_once(keys: dict[str, Any], start: Start) -> None:
    run = start(keys)
    while len(processes := run.started()) < 3:
        assert run.process.poll() is None
    run.process.send_signal(signal.SIGTERM)
    code, errors = run.end()
    assert code == 130, errors
    assert errors.rstrip().endswith("interrupted.")
    assert left(processes) == []


@pytest.mark.slow
def test_nothing_is_left_of_a_command_that_is_killed(keys: dict[str, Any], start: Start) -> None:
    run = start({**keys, "EPOCHS": 500, "NUM_WORKERS": 1})
    run.wait_for_step(2)
    processes = run.started()
    run.process.kill()
    run.process.wait()
    assert left(processes) == []
