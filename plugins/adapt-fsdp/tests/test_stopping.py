"""A stop that one process, or the command, is asked for: all processes write one checkpoint and end, and resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.result import RunResult
from adapt_core.run_folder.checkpoints import fault, newest_complete, step_of

from .conftest import Started
from .jobs import object_detection
from .test_failures import LONG

Start = Callable[..., Any]
Gone = Callable[[list[int]], bool]
Ended = Callable[..., RunResult]

TO = {
    "the command": lambda run, workers: run.process.pid,
    "rank 0": lambda run, workers: workers[0],
    "rank 1": lambda run, workers: workers[1],
}
ENDLESS = {**LONG, "INTERVAL": "no", "DO_EVAL": False}


def stopped_with_a_checkpoint(errors: str, folder: Path, reason: str) -> int:
    """Return the step of the one checkpoint, which the last line names."""
    checkpoint = newest_complete(folder / "checkpoints")
    assert checkpoint is not None, errors
    assert [path for path in (folder / "checkpoints").iterdir() if fault(path)] == []
    step = step_of(checkpoint)
    assert f"interrupted: stopped by {reason} at step {step}, whose checkpoint is written." in errors
    assert "--resume" in errors
    assert "Traceback" not in errors
    return step


@pytest.mark.parametrize(
    ("launcher", "to", "number", "reason"),
    [
        pytest.param({}, "the command", signal.SIGINT, "Ctrl-C", marks=pytest.mark.slow),
        ({}, "rank 1", signal.SIGTERM, "SIGTERM"),
        ({"DDP": False, "FSDP": True}, "the command", signal.SIGUSR1, "SIGUSR1"),
        pytest.param({"DDP": False, "FSDP": True}, "rank 0", signal.SIGTERM, "SIGTERM", marks=pytest.mark.slow),
    ],
)
def test_whoever_is_asked_all_processes_write_one_checkpoint_and_end(
    keys: dict[str, Any],
    start: Start,
    gone: Gone,
    launcher: dict[str, Any],
    to: str,
    number: signal.Signals,
    reason: str,
) -> None:
    run = start({**keys, **ENDLESS, "NUM_WORKERS": 1, **launcher})
    workers = run.wait_for_step(4)
    os.kill(TO[to](run, workers), number)
    code, errors = run.end()
    assert code == 130, errors
    assert stopped_with_a_checkpoint(errors, run.folder, reason) <= run.step() + 2
    assert gone(list(workers.values()))


def test_the_processes_stop_together_and_resume_as_if_nothing_had_been(
    keys: dict[str, Any], start: Start, ended: Ended, tmp_path: Path
) -> None:
    from safetensors.torch import load_file
    from torch import equal

    keys = {**keys, "EPOCHS": 3, "INTERVAL": "steps", "INTERVAL_STEPS": 5}
    whole = ended({**keys, "OUTPUT_DIR": str(tmp_path / "whole")})
    stopped = {**keys, "STOP_AFTER": "4 steps"}
    run = start(stopped)
    code, errors = run.end()
    assert code == 130, errors
    assert stopped_with_a_checkpoint(errors, run.folder, "STOP_AFTER") == 4
    resumed = ended(keys, "--resume")
    assert resumed.metrics == whole.metrics
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (run.folder, tmp_path / "whole"))
    assert ours.keys() == theirs.keys()
    assert all(equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow
def test_processes_of_a_detector_stop_together(
    keys: dict[str, Any], start: Start, gone: Gone, inbox: Path, tmp_path: Path
) -> None:
    run = start({**keys, **object_detection(tmp_path, inbox), **ENDLESS, "DO_EVAL": True})
    workers = run.wait_for_step(2)
    os.kill(workers[1], signal.SIGTERM)
    code, errors = run.end()
    assert code == 130, errors
    stopped_with_a_checkpoint(errors, run.folder, "SIGTERM")
    assert gone(list(workers.values()))


HANG = "import time; time.sleep(1000)"


def test_a_second_signal_ends_processes_that_hang(
    keys: dict[str, Any], start: Start, gone: Gone, fault: Callable[[int, str], dict[str, str]]
) -> None:
    run = start({**keys, **ENDLESS}, env=fault(1, HANG))
    workers = run.wait_for_step(2)
    run.process.send_signal(signal.SIGTERM)
    line = ""
    while "Once more ends at once" not in line:
        line = run.process.stderr.readline()
    run.process.send_signal(signal.SIGTERM)
    code, errors = run.end()
    assert code == 130, errors
    assert errors.rstrip().endswith("interrupted.")
    assert gone(list(workers.values()))


def test_a_signal_before_training_ends_at_once(keys: dict[str, Any], start: Start, gone: Gone) -> None:
    run = start({**keys, **ENDLESS})
    while len(workers := run.workers()) < 2:
        assert run.process.poll() is None
    run.process.send_signal(signal.SIGTERM)
    code, errors = run.end()
    assert code == 130, errors
    assert errors.rstrip().endswith("interrupted.")
    assert "Traceback" not in errors
    assert gone(list(workers.values()))


@pytest.mark.slow
def test_both_machines_stop_when_one_is_asked(keys: dict[str, Any], start: Start) -> None:
    machines = {
        **keys,
        **ENDLESS,
        "num_machines": 2,
        "num_processes": 1,
        "main_process_ip": "127.0.0.1",
        "main_process_port": 29637,
    }
    first, second = (start({**machines, "machine_rank": rank}) for rank in (0, 1))
    first.wait_for_step(3)
    second.process.send_signal(signal.SIGTERM)
    for run in (first, second):
        code, errors = run.end()
        assert code == 130, errors
        stopped_with_a_checkpoint(errors, first.folder, "SIGTERM")


@pytest.mark.slow
def test_torchrun_lets_its_processes_stop_with_a_checkpoint(keys: dict[str, Any], start: Start, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--module"]
    config.write_text(json.dumps({**keys, **ENDLESS}), encoding="utf-8")
    with subprocess.Popen(
        [*torchrun, "adapt_core", "run", str(config)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        Started(process, tmp_path / "run").wait_for_step(3)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    assert "stopped by SIGTERM at step" in errors
    assert newest_complete(tmp_path / "run" / "checkpoints") is not None
