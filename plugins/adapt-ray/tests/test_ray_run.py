"""Runs on Ray: the same model as one process makes, nothing left behind, nothing heard outside this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from adapt_core.errors import InputError
from adapt_core.result import RunResult

from .conftest import left

Start = Callable[..., Any]


@pytest.mark.slow
def test_two_processes_train_the_model_of_one_with_their_rows(job: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file
    from torch import allclose

    import adapt_core

    alone = {**job, "launcher": "local", "BATCH_SIZE": 16, "OUTPUT_DIR": str(tmp_path / "alone")}
    for key in ("num_processes", "use_cpu", "collective_timeout"):
        del alone[key]
    expected = adapt_core.run(alone)
    result = RunResult.from_json((whole / "result.json").read_text(encoding="utf-8"))
    assert result.launcher == "ray"
    assert result.steps == expected.steps == 24
    assert result.training_check["verdict"] == "learned"
    after, wanted = result.metrics["after"], expected.metrics["after"]
    assert after is not None
    assert wanted is not None
    assert after == pytest.approx(wanted, rel=1e-5)
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (whole, tmp_path / "alone"))
    assert all(allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-7) for name in theirs)


def test_a_run_hears_nothing_from_outside_shows_what_rank_0_says_and_leaves_nothing(
    keys: dict[str, Any], start: Start
) -> None:
    run = start(keys)
    run.wait_for_step(1)
    processes = run.started()
    assert any("raylet" in process.name() for process in processes)
    addresses = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}
    assert {process.nice() for process in processes if process.pid in run.workers().values()} == {os.nice(0)}
    environment = next(process for process in processes if "raylet" in process.name()).environ()
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not any("--include-dashboard=True" in process.cmdline() for process in processes)
    code, errors = run.end()
    assert code == 0, errors
    assert left(processes) == []
    assert "step 24 (epoch 6.00): " in errors
    log = (run.folder / "log.txt").read_text(encoding="utf-8")
    assert "2 processes of Ray Train" in log
    steps = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps if line["phase"] == "train"] == list(range(1, 25))


@pytest.mark.slow
def test_without_a_number_two_processes_share_the_cores(keys: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    import adapt_core

    del keys["num_processes"]
    assert adapt_core.run({**keys, "EPOCHS": 1}).steps == 4
    assert "2 processes of Ray Train on CPUs" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resources_per_worker": {"CPU": "many"}}, "resources_per_worker: CPU is 'many'. Give a number"),
        ({"ray_address": "127.0.0.1:1"}, "ray_address: no Ray answers at 127.0.0.1:1: Connection refused"),
        ({"ray_address": "ray://head"}, "ray_address: 'ray://head' is no address of a cluster's head"),
        ({"resources_per_worker": {"quantum": 1}}, "2 processes with 1 quantum each, and Ray has 0 quantum"),
        ({"ray_storage_path": "nowhere://x"}, "ray_storage_path nowhere://x"),
    ],
)
def test_what_cannot_be_had_is_said_before_training(
    keys: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    import adapt_core

    with pytest.raises(InputError, match=message.replace(".", "\\.")):
        adapt_core.run({**keys, **changes})
