"""num_machines: [LEAST, MOST]: machines leave and join, and the run ends with the weights of MOST all the time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapt_core.errors import AdaptError, ConfigError
from adapt_core.result import RunResult

from .conftest import Started
from .jobs import object_detection
from .test_changed_processes import relative_difference
from .test_keys import checked, planned

Start = Callable[..., Started]
Ended = Callable[..., RunResult]
Gone = Callable[[list[int]], bool]

QUICK = {"DO_EVAL": False, "VERDICT": "none"}
STEPS = {"EPOCHS": 4, "MAX_TRAIN_SAMPLES": 60, "INTERVAL": "steps", "INTERVAL_STEPS": 4, **QUICK}
"""16 steps; the last of an epoch is filled up."""


@attrs.frozen
class Held:
    """Runs whose only process waits, in a place, until it may go on."""

    may_go_on: Path
    environment: dict[str, str]


@pytest.fixture
def held_at(tmp_path: Path) -> Callable[[str], Held]:
    """Holds a process that is alone before a step of training ("training"), or before the result ("finishing")."""
    places = {
        "training": (
            "import transformers.trainer as holder",
            "holder.Trainer",
            "training_step",
            "one.state.global_step >= 6",
        ),
        "finishing": ("import adapt_core.execution.pipeline as holder", "holder.Run", "finish", "True"),
    }

    def hold(place: str) -> Held:
        folder, go = tmp_path / "hold", tmp_path / "go"
        folder.mkdir()
        imports, owner, name, when = places[place]
        (folder / "sitecustomize.py").write_text(
            "import os, time\n"
            "if os.environ.get('WORLD_SIZE') == '1':\n"
            f"    {imports}\n"
            f"    whole = {owner}.{name}\n"
            "    def held(one, *args, **kwargs):\n"
            f"        while {when} and not os.path.exists({str(go)!r}):\n"
            "            time.sleep(0.05)\n"
            "        return whole(one, *args, **kwargs)\n"
            f"    {owner}.{name} = held\n",
            encoding="utf-8",
        )
        path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        return Held(go, {"PYTHONPATH": path})

    return hold


def machine(keys: dict[str, Any], rank: int, port: int) -> dict[str, Any]:
    meeting = {"main_process_ip": "127.0.0.1", "main_process_port": port, "machine_rank": rank, "machine_wait": 3}
    return {**keys, **meeting, "num_machines": [1, 2], "num_processes": 1, "machine_timeout": 60}


def wait_for(run: Started, text: str) -> None:
    """Wait until machine 0's log has a text."""
    log = run.folder / "log.txt"
    while not log.exists() or text not in log.read_text(encoding="utf-8"):
        assert run.process.poll() is None, run.process.communicate()
        time.sleep(0.05)


def of_two_machines(keys: dict[str, Any], ended: Ended, folder: Path) -> Path:
    """Two processes on one machine train the same as one on each of two."""
    ended({**keys, "OUTPUT_DIR": str(folder)})
    return folder


def test_a_machine_joins_a_run_that_began_without_it(
    keys: dict[str, Any], start: Start, ended: Ended, gone: Gone, tmp_path: Path, held_at: Callable[[str], Held]
) -> None:
    keys = {**keys, **STEPS}
    held = held_at("training")
    first = start(machine(keys, 0, 29651), env=held.environment)
    alone = list(first.wait_for_step(6).values())
    second = start(machine(keys, 1, 29651))
    wait_for(first, "a machine waits to join")
    held.may_go_on.touch()
    for run in (first, second):
        code, errors = run.end()
        assert code == 0, errors
        assert "Traceback" not in errors
    log = (first.folder / "log.txt").read_text(encoding="utf-8")
    assert "1 process on 1 of 1 to 2 machines" in log
    assert "2 batches in a step of each process" in log
    assert "2 processes on 2 of 1 to 2 machines" in log
    assert "RETRIES" not in log
    assert gone(alone)
    whole = of_two_machines(keys, ended, tmp_path / "whole")
    assert relative_difference(first.folder, whole) <= 1e-6
    result = RunResult.from_json((first.folder / "result.json").read_text(encoding="utf-8"))
    assert result.steps == RunResult.from_json((whole / "result.json").read_text(encoding="utf-8")).steps


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [{}, {"DDP": False, "FSDP": True}])
def test_a_run_goes_on_without_a_machine_that_was_killed_and_with_it_when_it_is_back(
    keys: dict[str, Any],
    start: Start,
    ended: Ended,
    tmp_path: Path,
    held_at: Callable[[str], Held],
    launcher: dict[str, Any],
) -> None:
    keys = {**keys, **STEPS, **launcher, "RETRIES": 1}
    held = held_at("training")
    first = start(machine(keys, 0, 29653), env=held.environment)
    second = start(machine(keys, 1, 29653))
    first.wait_for_step(5)
    second.process.send_signal(signal.SIGKILL)
    second.process.wait()
    wait_for(first, "1 process on 1 of 1 to 2 machines")
    first.wait_for_step(6)
    back = start(machine(keys, 1, 29653))
    wait_for(first, "a machine waits to join")
    held.may_go_on.touch()
    for run in (first, back):
        code, errors = run.end()
        assert code == 0, errors
    log = (first.folder / "log.txt").read_text(encoding="utf-8")
    assert log.count("goes on from its newest complete checkpoint") == 1
    assert log.count("2 processes on 2 of 1 to 2 machines") == 2
    assert relative_difference(first.folder, of_two_machines(keys, ended, tmp_path / "whole")) <= 1e-6


@pytest.mark.slow
def test_a_machine_that_comes_at_the_end_ends_with_the_result(
    keys: dict[str, Any], start: Start, held_at: Callable[[str], Held]
) -> None:
    held = held_at("finishing")
    first = start(machine({**keys, **STEPS}, 0, 29655), "--json", env=held.environment)
    first.wait_for_step(16)
    second = start(machine({**keys, **STEPS}, 1, 29655), "--json")
    wait_for(first, "a machine waits to join")
    held.may_go_on.touch()
    outputs = [run.process.communicate(timeout=120) for run in (first, second)]
    assert [run.process.returncode for run in (first, second)] == [0, 0], outputs
    assert RunResult.from_json(outputs[0][0]) == RunResult.from_json(outputs[1][0])


@pytest.mark.slow
def test_a_stop_ends_the_run_when_a_machine_waits_to_join(
    keys: dict[str, Any], start: Start, held_at: Callable[[str], Held]
) -> None:
    held = held_at("training")
    first = start(machine({**keys, **STEPS}, 0, 29657), env=held.environment)
    first.wait_for_step(6)
    second = start(machine({**keys, **STEPS}, 1, 29657))
    wait_for(first, "a machine waits to join")
    first.process.send_signal(signal.SIGTERM)
    time.sleep(1)
    held.may_go_on.touch()
    (code, errors), (other, told) = first.end(), second.end()
    assert (code, other) == (130, 130), errors + told
    assert "stopped by SIGTERM at step" in errors
    assert "was stopped before this machine joined it" in told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([2, 1], r"num_machines: must be one number, or \[LEAST, MOST\] with LEAST below MOST; not \[2, 1\]"),
        ([1, 2, 3], r"num_machines: must be one number, or \[LEAST, MOST\]"),
        ([0, 1], r"num_machines.*must be at least 1; not 0"),
        ("1 to 2", r"num_machines.*must be a whole number or a list of int"),
    ],
)
def test_what_is_no_range_is_refused_with_the_key(keys: dict[str, Any], given: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        checked(keys, num_machines=given, main_process_ip="127.0.0.1")


def test_ranges_that_a_run_cannot_keep_are_refused_with_the_reason(
    keys: dict[str, Any], inbox: Path, tmp_path: Path
) -> None:
    meeting = {"main_process_ip": "127.0.0.1"}
    checked(keys, num_machines=[1, 2], **meeting)
    checked(keys, num_nodes=[2, 3], GRADIENT_ACCUMULATION_STEPS=2, **meeting)
    with pytest.raises(ConfigError, match=r"num_nodes: a step has 3 batches .* GRADIENT_ACCUMULATION_STEPS: 2\."):
        checked(keys, num_nodes=[2, 3], **meeting)
    with pytest.raises(ConfigError, match="rdzv_backend: c10d is for a fixed number of machines"):
        checked(keys, num_machines=[1, 2], rdzv_backend="c10d", **meeting)
    with pytest.raises(AdaptError, match="main_process_ip"):
        checked(keys, num_machines=[1, 2])


def test_machines_of_detectors_are_fixed(keys: dict[str, Any], inbox: Path, tmp_path: Path) -> None:
    detector = {**keys, **object_detection(tmp_path, inbox)}
    with pytest.raises(ConfigError, match="num_machines: object_detection cannot go on in another number of processes"):
        checked(detector, num_machines=[1, 2], main_process_ip="127.0.0.1")


def test_the_most_machines_count_for_memory_and_steps(keys: dict[str, Any]) -> None:
    from adapt_fsdp.ddp import Ddp

    plan = planned(keys, num_machines=[1, 3], GRADIENT_ACCUMULATION_STEPS=2)
    assert Ddp(plan.launcher.params).processes() == 6
