"""A run in two processes is the run of one process with twice the batch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.result import RunResult

from .reference_runs import alone

Start = Callable[..., Any]
Run = Callable[..., RunResult]


def phases(folder: Path, phase: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["phase"] == phase]


def difference(first: Path, second: Path) -> float:
    from safetensors.torch import load_file

    one, two = (load_file(folder / "model" / "model.safetensors") for folder in (first, second))
    assert set(one) == set(two)
    return max(float((one[name] - two[name]).abs().max()) for name in one)


def test_weights_losses_metrics_and_files_are_those_of_one_process(
    keys: dict[str, Any], start: Start, tmp_path: Path
) -> None:
    process = start(keys, "--json")
    output, errors = process.process.communicate(timeout=600)
    assert process.process.returncode == 0, errors
    result = RunResult.from_json(output)
    single = alone(keys, tmp_path / "local")
    folder, other = tmp_path / "run", tmp_path / "local"
    assert result == RunResult.from_json((folder / "result.json").read_text())
    assert result.launcher == "ddp"
    for phase in ("before", "after"):
        ours, theirs = result.metrics[phase], single.metrics[phase]
        assert ours is not None
        assert theirs is not None
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert result.metrics["before"]["accuracy"] == single.metrics["before"]["accuracy"]  # type: ignore[index]
    losses = [[line["loss"] for line in phases(where, "train")] for where in (folder, other)]
    assert len(losses[0]) == 8
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert difference(folder, other) <= 1e-5
    assert result.training_check["verdict"] == "learned"
    assert {path.name for path in folder.iterdir()} == {path.name for path in other.iterdir()}
    assert {path.name for path in (folder / "model").iterdir()} == {path.name for path in (other / "model").iterdir()}
    newest = folder / "checkpoints" / "checkpoint-8"
    sealed = json.loads((newest / "manifest.json").read_text())["files"]
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= set(sealed)
    assert errors.count("before: ") == 1
    assert "2 processes on the CPU (gloo)" in errors
    predictions = [adapt_core.predict(where, ["Can I renew my books?"])[0] for where in (folder, other)]
    assert predictions[0] == {**predictions[1], "score": pytest.approx(predictions[1]["score"], abs=1e-5)}


@pytest.mark.slow
def test_batches_of_like_length_are_those_of_one_process(
    keys: dict[str, Any], ended: Run, tmp_path: Path, fault: Callable[[int, str], dict[str, str]]
) -> None:
    """Even in a second epoch, before which the random states of the ranks moved apart, as dropout moves them."""
    keys = {**keys, "GROUP_BY_LENGTH": True, "MAX_TRAIN_SAMPLES": 96}
    ended(keys, env=fault(1, "import torch; torch.manual_seed(7)"))
    alone(keys, tmp_path / "alone")
    losses = [[line["loss"] for line in phases(tmp_path / where, "train")] for where in ("run", "alone")]
    assert len(losses[0]) == 12
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["static", "c10d"])
def test_two_machines_run_one_job(keys: dict[str, Any], start: Start, tmp_path: Path, backend: str) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    machines = {
        "num_nodes": 2,
        "num_processes": 1,
        "main_process_ip": "127.0.0.1",
        "main_process_port": port,
        "rdzv_backend": backend,
    }
    begun = [start({**keys, **machines, "machine_rank": rank}, "--json") for rank in (1, 0)]
    ends = [run.process.communicate(timeout=600) for run in begun]
    assert [run.process.returncode for run in begun] == [0, 0], ends
    results = [RunResult.from_json(output) for output, _ in ends]
    assert results[0] == results[1]
    alone(keys, tmp_path / "local")
    assert difference(tmp_path / "run", tmp_path / "local") <= 1e-5


@pytest.fixture
def networks() -> Iterator[list[str]]:
    """Two network namespaces, joined by a wire: 10.231.0.1 and 10.231.0.2."""
    if os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the command ip, to make network namespaces")
    names = [f"adapt-{os.getpid()}-{number}" for number in range(2)]
    made = subprocess.run(["ip", "netns", "add", names[0]], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"network namespaces cannot be made here: {made.stderr.strip()}")

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    try:
        ip("netns", "add", names[1])
        ip("-n", names[0], "link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", names[1])
        for number, name in enumerate(names):
            ip("-n", name, "addr", "add", f"10.231.0.{number + 1}/24", "dev", f"wire{number}")
            ip("-n", name, "link", "set", f"wire{number}", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["static", "c10d"])
def test_machines_in_two_networks_run_one_job(
    keys: dict[str, Any], start: Start, tmp_path: Path, networks: list[str], backend: str
) -> None:
    """As on two computers: neither has the other's addresses, and the host name resolves to the loopback."""
    machines = {"num_nodes": 2, "num_processes": 1, "main_process_ip": "10.231.0.1", "rdzv_backend": backend}
    begun = [
        start({**keys, **machines, "machine_rank": rank}, "--json", inside=("ip", "netns", "exec", networks[rank]))
        for rank in (1, 0)
    ]
    ends = [run.process.communicate(timeout=600) for run in begun]
    assert [run.process.returncode for run in begun] == [0, 0], ends
    results = [RunResult.from_json(output) for output, _ in ends]
    assert results[0] == results[1]
    alone(keys, tmp_path / "local")
    assert difference(tmp_path / "run", tmp_path / "local") <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "task_keys", [{"subtask": "ner"}, {"TASK": "question_answering", "max_length": 128, "doc_stride": 8}]
)
def test_metrics_that_need_rows_in_order_are_those_of_one_process(
    keys: dict[str, Any], start: Start, tmp_path: Path, shared_data: Path, task_keys: dict[str, Any]
) -> None:
    data = "wnut17" if "subtask" in task_keys else "xquad_en"
    changes = {**task_keys, "CUSTOM_DATASET_PATH": str(shared_data / data), "EPOCHS": 1, "GROUP_BY_LENGTH": False}
    run = start({**keys, **changes}, "--json")
    output, errors = run.process.communicate(timeout=600)
    assert run.process.returncode == 0, errors
    single = alone(keys, tmp_path / "local", **changes)
    assert RunResult.from_json(output).metrics["before"] == pytest.approx(single.metrics["before"], abs=1e-5)


@pytest.mark.gpu
def test_ddp_over_nccl(keys: dict[str, Any], start: Start) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    code, errors = start({**keys, "use_cpu": False, "num_processes": None, "mixed_precision": "bf16"}).end()
    assert code == 0, errors
    assert "GPUs (nccl)" in errors
