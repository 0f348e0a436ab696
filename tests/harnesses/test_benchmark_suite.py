"""`python -m benchmarks`: every figure's script by one command, each one's output kept, a failure told."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import __main__ as suite

ROOT = Path(__file__).parents[2]
APART = {
    "benchmarks.results": "writes docs/results.md",
    "benchmarks.llama_factory": "needs an environment that has LLaMA-Factory",
    "benchmarks.step_costs": "runs one side of a comparison",
    "benchmarks.watched": "runs one side of a comparison",
    "benchmarks.one_gpu": "needs a GPU",
    "benchmarks.operators": "needs operators that its own environment compiles (tox -e compiled-operators)",
}


def test_every_script_is_in_the_suite_or_apart_for_a_reason() -> None:
    listed = {module for module, *_ in suite.SUITE.values()}
    assert all(find_spec(module) for module in listed)
    files = [*(ROOT / "benchmarks").glob("[a-z]*.py"), *(ROOT / "benchmarks").glob("*/__main__.py")]
    scripts = {
        f"benchmarks.{file.parent.name if file.stem == '__main__' else file.stem}"
        for file in files
        if "__main__" in file.read_text(encoding="utf-8")
    }
    assert scripts - set(APART) == listed


def test_outputs_are_kept_and_a_failure_ends_in_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suite, "SUITE", {"broken": ("no_such_module",), "whole": ("json.tool", "DATA/given.json")})
    spread = {"median": 0.98765, "least": 0.9, "most": 1.0}
    given = {"job": "ner", "pairs": 5, "whole": spread, "losses": [1.0], "versions": {"torch": "2"}}
    (tmp_path / "given.json").write_text(json.dumps(given), encoding="utf-8")
    kept = tmp_path / "kept.json"
    written = tmp_path / "page.md"
    written.write_text("# Benchmarks\n\nWords.\n\n## Latest output of the suite\n\nstale\n")
    monkeypatch.setattr(
        sys, "argv", ["benchmarks", "--data", str(tmp_path), "--out", str(kept), "--page", str(written)]
    )
    with pytest.raises(SystemExit) as ended:
        suite.main()
    assert ended.value.code == 1
    assert capfd.readouterr().out.endswith("1 of 2 ran; failed: broken\n")
    stored = json.loads(kept.read_text(encoding="utf-8"))
    assert set(stored) == {"whole"}
    assert json.loads("".join(stored["whole"]["printed"])) == given
    assert set(stored["whole"]) == {"printed", "exit_code", "seconds", "commit", "python", "versions"}
    page = written.read_text(encoding="utf-8")
    assert page.startswith("# Benchmarks\n\nWords.\n\n## Latest output")
    assert "stale" not in page
    rows = [line.split(" | ")[1:] for line in page.splitlines() if line.startswith("| | ")]
    assert rows == [["ner / pairs", "5 |"], ["ner / whole", "0.9877 (0.9 to 1) |"]]
