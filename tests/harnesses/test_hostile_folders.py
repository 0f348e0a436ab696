"""A short form of `python -m stress.hostile_folders`: some kinds, the commands that reach them, what is a finding."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stress.hostile_folders.__main__ import KINDS, findings, table

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(900)


def tried(tmp_path: Path, *words: str) -> dict[str, dict[str, str]]:
    """Kinds and their outcome in each command."""
    command = [sys.executable, "-m", "stress.hostile_folders", "--out", str(tmp_path / "table.json"), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    return {row["kind"]: row["commands"] | ({"trust": row["trust"]} if "trust" in row else {}) for row in rows}


def test_pickles_of_a_language_run_are_refused_and_run_with_trust_alone(tmp_path: Path) -> None:
    pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
    found = tried(tmp_path, "--subject", "text", "--only", "pickle", "--command", "predict", "--command", "export")
    assert found == {"a pickled model": {"predict": "refused", "export": "refused", "trust": "fired"}}


@pytest.mark.slow
def test_checkpoints_of_a_language_run_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
    found = tried(tmp_path, "--subject", "text", "--only", "of a", "--command", "resume")
    assert found["optimizer.pt of a checkpoint"] == {"resume": "refused"}
    assert found["metadata of a sharded checkpoint"] == {"resume": "refused"}
    assert found["training_args.bin of a checkpoint"] == {"resume": "harmless"}, "nothing reads it"


@pytest.mark.slow
def test_no_kind_leaves_its_marker(tmp_path: Path) -> None:
    for package in ("adapt_nlp", "adapt_peft_ssf", "adapt_vision_mm", "mmdet"):
        pytest.importorskip(package, reason=f"needs {package}")
    assert len(tried(tmp_path)) == len(KINDS)


def test_a_marker_a_defect_and_trust_without_effect_are_findings() -> None:
    row = {"kind": "k", "subject": "text", "commands": {"predict": "refused", "base": "harmless"}, "trust": "fired"}
    messages = {"messages": {"predict": "", "base": "", "export": "why"}, "message with trust": "because"}
    assert findings({**row, **messages}) == []
    assert table([row]).splitlines()[-1] == "| text | k | refused |  |  |  | harmless | runs |"
    for state in ("fired", "defect"):
        changed = {**row, **messages, "commands": {"export": state}}
        assert findings(changed) == [f"k, export: {state}: why"]
    assert findings({**row, **messages, "trust": "refused"}) == ["k, with trust: refused: because"]
