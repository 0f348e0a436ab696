"""A short form of `python -m stress.folders`: a few arrangements of somebody else's files, with killed commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(sys.platform == "win32", reason="forks processes")]


def test_nothing_of_somebody_else_is_lost_and_each_result_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "record.json"
    command = [sys.executable, "-m", "stress.folders", "--arrangements", "16", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["findings"] == []
    assert found["arrangements"] == 16
    assert found["killed"] + found["disk_full"] > 3
    assert {"name", "link", "inside"} <= {*found["put"]}
