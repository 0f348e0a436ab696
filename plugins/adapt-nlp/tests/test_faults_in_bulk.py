"""Short forms of the harnesses in benchmarks/faults, on language tasks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def harness(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one of benchmarks/faults in a process of its own."""
    command = [sys.executable, "-m", f"stress.{module}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.no_gpu
def test_a_run_that_is_killed_anywhere_and_resumed_equals_the_whole(keys: dict[str, Any], tmp_path: Path) -> None:
    settings = {"INTERVAL": "steps", "INTERVAL_STEPS": 1, "LOGGING_STEPS": 1, "GROUP_BY_LENGTH": True, "EPOCHS": 2}
    (tmp_path / "c.json").write_text(json.dumps({**keys, **settings}), encoding="utf-8")
    done = harness("kill_anywhere", "--config", str(tmp_path / "c.json"), "--kills", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["kills"] == 3
    assert report["finished"] == report["equal"] >= 1


def test_corrupted_data_sets_are_refused_with_their_place_or_trained_on(shared_data: Path) -> None:
    jobs = ("--job", "text_classification", "--job", "question_answering")
    done = harness("corrupt_data", "--data", str(shared_data), *jobs, "--every", "29")
    assert done.returncode == 0, done.stdout + done.stderr
