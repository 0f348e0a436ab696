"""RETRIES: processes that died are started again from the newest checkpoint, and the result is that of one run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import ConfigError
from adapt_core.result import RunResult

from .reference_runs import OF_SEVERAL

Start = Callable[..., Any]
Ended = Callable[..., RunResult]

STEPS = {"EPOCHS": 6, "INTERVAL": "steps", "INTERVAL_STEPS": 4, "NO_OF_CHECKPOINTS": 2}
"""24 steps."""


def equal_weights(first: Path, second: Path) -> bool:
    from safetensors.torch import load_file
    from torch import equal

    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (first, second))
    return ours.keys() == theirs.keys() and all(equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("launcher", [{}, pytest.param({"DDP": False, "FSDP": True}, marks=pytest.mark.slow)])
def test_a_run_goes_on_after_a_killed_process_as_if_nothing_had_been(
    keys: dict[str, Any], start: Start, ended: Ended, tmp_path: Path, launcher: dict[str, Any]
) -> None:
    keys = {**keys, **STEPS, **launcher}
    whole = ended({**keys, "OUTPUT_DIR": str(tmp_path / "whole")})
    run = start({**keys, "RETRIES": 1}, "--json")
    os.kill(run.wait_for_step(7)[1], signal.SIGKILL)
    output, errors = run.process.communicate(timeout=600)
    assert run.process.returncode == 0, errors
    assert "was killed by SIGKILL" in errors
    assert "goes on from its newest complete checkpoint (RETRIES: 0 left)" in errors
    assert RunResult.from_json(output).metrics == whole.metrics
    assert equal_weights(run.folder, tmp_path / "whole")


def test_when_no_retry_is_left_the_failure_ends_the_run(keys: dict[str, Any], start: Start) -> None:
    run = start({**keys, **STEPS, "EPOCHS": 500, "RETRIES": 1})
    first = run.wait_for_step(2)
    os.kill(first[0], signal.SIGKILL)
    while not (second := run.workers()) or set(second.values()) & set(first.values()) or len(second) < 2:
        assert run.process.poll() is None, run.process.communicate()
    os.kill(second[1], signal.SIGKILL)
    code, errors = run.end()
    assert code == 1
    assert errors.count("was killed by SIGKILL") == 2
    assert "Traceback" not in errors


@pytest.mark.slow
def test_two_machines_go_on_after_a_killed_process_of_one(
    keys: dict[str, Any], start: Start, ended: Ended, tmp_path: Path
) -> None:
    keys = {**keys, **STEPS}
    whole = ended({**keys, "OUTPUT_DIR": str(tmp_path / "whole")})
    machines = {"num_machines": 2, "num_processes": 1, "main_process_ip": "127.0.0.1", "main_process_port": 29641}
    first, second = (start({**keys, **machines, "RETRIES": 2, "machine_rank": rank}) for rank in (0, 1))
    first.wait_for_step(7)
    os.kill(second.workers()[1], signal.SIGKILL)
    for run in (first, second):
        code, errors = run.end()
        assert code == 0, errors
        assert "goes on from its newest complete checkpoint" in errors
    assert RunResult.from_json((first.folder / "result.json").read_text()).metrics == whole.metrics
    assert equal_weights(first.folder, tmp_path / "whole")


@pytest.mark.slow
def test_a_machine_that_is_lost_and_comes_back_joins_the_others(
    keys: dict[str, Any], start: Start, ended: Ended, tmp_path: Path
) -> None:
    keys = {**keys, **STEPS}
    ended({**keys, "OUTPUT_DIR": str(tmp_path / "whole")})
    machines = {"num_machines": 2, "num_processes": 1, "main_process_ip": "127.0.0.1", "main_process_port": 29643}
    first, second = (start({**keys, **machines, "RETRIES": 2, "machine_rank": rank}) for rank in (0, 1))
    first.wait_for_step(7)
    second.process.kill()
    second.process.wait()
    while "goes on from its newest complete checkpoint" not in first.process.stderr.readline():
        assert first.process.poll() is None
    back = start({**keys, **machines, "RETRIES": 2, "machine_rank": 1})
    for run in (first, back):
        code, errors = run.end()
        assert code == 0, errors
    assert equal_weights(first.folder, tmp_path / "whole")


def test_a_machine_that_resumes_a_finished_run_waits_for_no_other(keys: dict[str, Any]) -> None:
    """Its command may have been killed after the last step: machine 0 finds the run finished, and starts nothing."""
    import adapt_core

    result = adapt_core.run({key: value for key, value in keys.items() if key not in OF_SEVERAL})
    machine = {"num_machines": 2, "machine_rank": 1, "main_process_ip": "127.0.0.1", "main_process_port": 29645}
    assert adapt_core.run({**keys, **machine, "machine_timeout": 5}, resume=True) == result


def test_without_a_launcher_there_is_nothing_to_start_again(keys: dict[str, Any]) -> None:
    import adapt_core

    with pytest.raises(ConfigError, match="RETRIES: starts processes again"):
        adapt_core.run({**keys, "DDP": False, "num_processes": None, "RETRIES": 2})
