"""A short form of `python -m matrix`: one job from the config to the saved model, and back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(900)


def matrix(folder: Path) -> list[str]:
    """Runs it on the inbox, in the place of the job's own data; the lines of the cells that it settled."""
    words = ["--data", str(folder), "--store", str(folder / "matrix.json"), "--launcher", "local"]
    words += ["--page-file", str(folder / "matrix.md")]
    words += ["--job", "text_classification", "--method", "full", "--method", "SSF"]
    command = [sys.executable, "-m", "matrix", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("text_classification, ")]


def test_cells_run_and_load_again_or_are_refused_and_are_settled_once(tmp_path: Path) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
    shutil.copytree(ROOT / "examples" / "inbox", tmp_path / "sst5")
    assert len(matrix(tmp_path)) == 6
    cells = json.loads((tmp_path / "matrix.json").read_text(encoding="utf-8"))
    states = {name: cell["state"] for name, cell in cells.items()}
    assert states == {
        "text_classification, full, float32, local": "ran",
        "text_classification, full, 4 bit, local": "refused",
        "text_classification, full, 8 bit, local": "refused",
        "text_classification, SSF, float32, local": "ran",
        "text_classification, SSF, 4 bit, local": "ran",
        "text_classification, SSF, 8 bit, local": "ran",
    }
    assert "loaded again" in cells["text_classification, SSF, 4 bit, local"]["text"]
    assert "534 not run, 4 ran, 2 refused" in (tmp_path / "matrix.md").read_text(encoding="utf-8")
    assert matrix(tmp_path) == []
