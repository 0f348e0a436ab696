"""When a process fails: the others end, the cause is shown once with its rank, no process is left, --resume works."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapt_core.run_folder.checkpoints import newest_complete, step_of

Start = Callable[..., Any]
Gone = Callable[[list[int]], bool]
LONG = {"EPOCHS": 500, "INTERVAL": "steps", "INTERVAL_STEPS": 5, "NO_OF_CHECKPOINTS": 2}


def kill(keys: dict[str, Any], start: Start, gone: Gone, rank: int, step: int) -> None:
    run = start({**keys, **LONG, "OVERWRITE_OUTPUT_DIR": True})
    workers = run.wait_for_step(step)
    assert sorted(workers) == [0, 1]
    os.kill(workers[rank], signal.SIGKILL)
    code, errors = run.end()
    assert code == 1
    assert errors.count("was killed by SIGKILL") == 1, errors
    assert f"rank {rank} (process {workers[rank]}) was killed by SIGKILL" in errors
    assert "Traceback" not in errors
    assert gone(list(workers.values()))


def test_a_killed_process_ends_the_run_and_resume_goes_on(
    keys: dict[str, Any], start: Start, gone: Gone, tmp_path: Path
) -> None:
    kill(keys, start, gone, rank=1, step=12)
    folder = tmp_path / "run"
    resumed = start({**keys, **LONG, "num_processes": 1}, "--resume")
    resumed.wait_for_step(20)
    log = (folder / "log.txt").read_text(encoding="utf-8")
    assert "resuming from" in log
    resumed.process.send_signal(signal.SIGINT)
    workers = resumed.workers()
    code, errors = resumed.end()
    assert code == 130, errors
    assert "stopped by Ctrl-C at step" in errors
    assert gone(list(workers.values()))


def test_workers_end_with_a_command_that_is_killed(keys: dict[str, Any], start: Start, gone: Gone) -> None:
    run = start({**keys, **LONG, "NUM_WORKERS": 1})
    workers = run.wait_for_step(2)
    run.process.kill()
    run.process.wait()
    assert gone(list(workers.values()))


def test_an_exception_is_shown_once_with_its_rank(
    keys: dict[str, Any], start: Start, fault: Callable[[int, str], dict[str, str]], tmp_path: Path
) -> None:
    run = start({**keys, **LONG}, env=fault(1, "raise ZeroDivisionError('a fault of the test')"))
    code, errors = run.end()
    assert code == 1
    assert errors.count("a fault of the test") == 1
    assert "rank 1: ZeroDivisionError: a fault of the test" in errors
    assert "Traceback" not in errors
    assert "in training_step" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


def test_a_hang_ends_at_the_time_limit_with_the_place_of_each_rank(
    keys: dict[str, Any], start: Start, fault: Callable[[int, str], dict[str, str]]
) -> None:
    run = start({**keys, **LONG, "collective_timeout": 40}, env=fault(1, "import time; time.sleep(1000)"))
    code, errors = run.end()
    assert code == 1
    assert "processes timed out waiting for each other (collective_timeout is 40 s)" in errors
    assert "rank 0: timed out in" in errors
    assert "rank 1: was still in" in errors
    assert "sitecustomize.py" in errors


def test_a_fault_of_the_input_that_every_rank_finds_is_shown_once(
    keys: dict[str, Any], start: Start, tmp_path: Path
) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": null, "label": "y"}\n')
    (tmp_path / "validation.jsonl").write_text('{"text": "a", "label": "x"}\n')
    code, errors = start({**keys, "CUSTOM_DATASET_PATH": str(tmp_path)}).end()
    assert code == 2
    assert errors.count("error:") == 1
    assert "rank 0: " in errors
    assert "train row 2" in errors


@pytest.mark.slow
def test_memory_that_runs_out_on_one_rank_is_the_input_s_fault(
    keys: dict[str, Any], start: Start, fault: Callable[[int, str], dict[str, str]]
) -> None:
    run = start({**keys, **LONG}, env=fault(1, "import torch; raise torch.OutOfMemoryError('a fault of the test')"))
    code, errors = run.end()
    assert code == 2
    assert errors.count("error:") == 1
    assert "rank 1: out of memory at step 2: lower BATCH_SIZE" in errors


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 48 MB."""
    if shutil.which("mount") is None:
        pytest.skip("needs the command mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs to mount a small file system: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [{"DDP": True}, {"DDP": False, "FSDP": True}], ids=["ddp", "fsdp"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_disk_that_fills_up_ends_every_rank_with_one_message(
    keys: dict[str, Any],
    start: Start,
    fault: Callable[[int, str], dict[str, str]],
    gone: Gone,
    small_disk: Path,
    rank: int,
    launcher: dict[str, Any],
) -> None:
    filler = small_disk / "filler"
    written = small_disk / "run" / "checkpoints" / "checkpoint-2" / "manifest.json"
    fill = f"os.system('while [ ! -e {written} ]; do sleep 0.05; done; cat /dev/zero > {filler} 2> /dev/null')"
    changes = {**launcher, "INTERVAL": "steps", "INTERVAL_STEPS": 2, "OUTPUT_DIR": str(small_disk / "run")}
    run = start({**keys, **changes}, env=fault(rank, fill))
    workers = run.wait_for_step(1)
    code, errors = run.end()
    assert code == 2, errors
    assert errors.count("error:") == 1, errors
    assert "no space is left on the disk" in errors
    assert "--resume" in errors
    assert "Traceback" not in errors
    assert gone(list(workers.values()))
    checkpoint = newest_complete(small_disk / "run" / "checkpoints")
    assert checkpoint is not None
    assert step_of(checkpoint) == 2
    filler.unlink()
    code, errors = start({**keys, **changes}, "--resume").end()
    assert code == 0, errors
    assert json.loads((small_disk / "run" / "result.json").read_text())["steps"] == 8


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("launcher", [{"DDP": True}, {"DDP": False, "FSDP": True}])
def test_each_rank_killed_at_random_steps(keys: dict[str, Any], tmp_path: Path, launcher: dict[str, Any]) -> None:
    """A short form of what stress.kill_ranks does thirty times."""
    config = tmp_path / "config.json"
    steps = {"EPOCHS": 12, "INTERVAL": "steps", "INTERVAL_STEPS": 5, "NO_OF_CHECKPOINTS": 3}
    config.write_text(json.dumps({**keys, **steps, **launcher}), encoding="utf-8")
    command = [sys.executable, "-m", "stress.kill_ranks", "--config", config, "--kills", "4"]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert [kill["whom"] for kill in report["kills"]] == ["rank 0", "rank 1", "rank 0", "rank 1"]
    assert report["wrong"] == []
    assert report["finished"] >= 1
