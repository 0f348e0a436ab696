"""`python -m benchmarks`: every figure's script by one command, each one's output kept, a failure told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as suite
from benchmarks import page, targets
from benchmarks.outputs import Figure
from benchmarks.suite import SUITE
from benchmarks.targets import Target

ROOT = Path(__file__).parents[2]
APART = {
    "benchmarks.results": "writes docs/results.md",
    "benchmarks.step_costs": "runs one side of a comparison",
    "benchmarks.watched": "runs one side of a comparison",
    "benchmarks.operators": "needs operators that its own environment compiles (tox -e compiled-operators)",
}
RECORD = json.loads((ROOT / "benchmarks" / "benchmarks.json").read_text(encoding="utf-8"))
SLOWER = {"median": 0.65, "least": 0.61, "most": 0.68}


def test_every_script_is_in_the_suite_or_apart_for_a_reason() -> None:
    listed = {module for module, *_ in SUITE.values()}
    assert all(find_spec(module) for module in listed)
    files = [*(ROOT / "benchmarks").glob("[a-z]*.py"), *(ROOT / "benchmarks").glob("*/__main__.py")]
    scripts = {
        f"benchmarks.{file.parent.name if file.stem == '__main__' else file.stem}"
        for file in files
        if '__name__ == "__main__"' in file.read_text(encoding="utf-8")
    }
    assert scripts - set(APART) == listed


def called(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *map(str, arguments)])
    suite.main()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two benchmarks alone: one fails, the other prints a file."""
    for module in ("__main__", "suite"):
        own = {"broken": ("no_such_module",), "whole": ("json.tool", "DATA/given.json")}
        monkeypatch.setattr(f"benchmarks.{module}.SUITE", own)


@pytest.fixture
def its_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """One target of `whole`, one of a benchmark that nobody ran."""
    made = (
        Target(
            row="translation: an evaluation",
            over="a plain script,",
            peers=("transformers",),
            benchmark="whole",
            figure=("evaluation",),
            at_most=0.6,
            missed="the decoder",
        ),
        Target(row="one GPU", benchmark="gpu", figure=("memory",), at_most=0.7, unmeasured="no GPU could be had"),
    )
    for module in (page, targets):
        monkeypatch.setattr(module, "targets", lambda: made)


@pytest.mark.usefixtures("names", "its_targets")
def test_outputs_are_kept_and_a_failure_ends_in_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spread = {"median": 0.98765, "least": 0.9, "most": 1.0}
    given = {
        **{"job": "ner", "pairs": 5, "seconds": 3.5, "whole": spread, "evaluation": SLOWER},
        **{"losses": [1.0], "before": {"loss": 2.5}, "versions": {"torch": "2", "transformers": "5"}},
    }
    (tmp_path / "given.json").write_text(json.dumps(given), encoding="utf-8")
    kept = tmp_path / "kept.json"
    written = tmp_path / "page.md"
    mark = f"<!-- {page.AHEAD} -->\nstale\n<!-- end -->"
    written.write_text(f"# Benchmarks\n\n{mark}\n\nWords.\n\n## Latest output of the suite\n\nstale\n")
    with pytest.raises(SystemExit) as ended:
        called(monkeypatch, "--data", tmp_path, "--out", kept, "--page", written)
    assert ended.value.code == 1
    assert capfd.readouterr().out.endswith("1 of 2 ran; failed: broken\n")
    stored = json.loads(kept.read_text(encoding="utf-8"))
    assert set(stored) == {"whole"}
    assert json.loads("".join(stored["whole"]["printed"])) == given
    assert set(stored["whole"]) == {"printed", "exit_code", "seconds", "commit", "python", "versions"}
    text = written.read_text(encoding="utf-8")
    assert "stale" not in text
    first, last = text.split("Words.")
    rows = [line.strip("| ").split(" | ") for line in first.splitlines() if line.startswith("| ")]
    shown = "0.650 (0.610 to 0.680)"
    assert rows[1:] == [
        [
            *("translation: an evaluation", "a plain script, transformers 5", "at most 0.60", shown, "5"),
            *("missed: the decoder", "whole"),
        ],
        ["one GPU", "", "at most 0.70", "", "", "not measured: no GPU could be had", "gpu"],
    ]
    rows = [line.strip("| ").split(" | ") for line in last.splitlines() if line.startswith("| | ")]
    assert rows == [
        ["pairs", "5"],
        ["whole", "0.988 (0.900 to 1.000)"],
        ["evaluation", shown, "at most 0.60: missed"],
    ]
    [head] = [line for line in last.splitlines() if line.startswith("| **whole**")]
    assert "torch 2, transformers 5" in head


@pytest.mark.usefixtures("names", "its_targets")
def test_a_row_that_was_left_out_replaces_no_figures_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, written = tmp_path / "kept.json", tmp_path / "page.md"
    written.write_text(f"<!-- {page.AHEAD} -->\n<!-- end -->")
    printed = tmp_path / "printed.log"
    arguments = ("--record", "whole", printed, "--out", kept, "--page", written)
    printed.write_text('{"job": "ner", "left_out": "trl is not installed"}')
    called(monkeypatch, *arguments)
    text = written.read_text(encoding="utf-8")
    assert "| not measured: trl is not installed |" in text
    assert "| | ner | | left out: trl is not installed |" in text
    printed.write_text(json.dumps({"pairs": 0, "evaluation": {"median": 0.6004, "least": 0.5, "most": 0.7}}))
    called(monkeypatch, *arguments)
    assert "| 0.600 (0.500 to 0.700) | 1 | **met** | whole |" in written.read_text(encoding="utf-8")
    printed.write_text('{"job": "ner", "left_out": "trl is not installed"}')
    called(monkeypatch, *arguments)
    assert "| **met** |" in written.read_text(encoding="utf-8")


def test_the_page_leaves_out_what_is_no_ratio_target_or_named_result() -> None:
    ways = {"LoRA": {"time over LoRA": {"median": 1.0, "least": 1.0, "most": 1.0}, "loss": 3.0}}
    lines = [
        json.dumps({"task": "texts", "run": 1, "resident_mib": 900, "own_over_1x": 1.02, "losses": [2.0]}),
        json.dumps({"task": "texts", "run": 2, "before": {"f1": 0.5}, "greatest_difference": 0.0, **ways}),
    ]
    [head, *rows] = page.rows("anything", {"printed": lines, "seconds": 3, "commit": "c" * 40})
    assert head == "| **anything** | 3 seconds, commit cccccccccc | | |"
    assert rows == ["| | texts, run 1 / own_over_1x | 1.02 |  |", "| | texts, run 2 / greatest_difference | 0 |  |"]


def test_what_was_printed_by_hand_is_recorded_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among warnings, dates, other rows and what a script printed while it measured."""
    kept, written, log = tmp_path / "kept.json", tmp_path / "page.md", tmp_path / "printed.log"
    row = "LoRA, half learned, over trl"
    whole = {"row": row, "pairs": 5, "peak_memory": {"median": 0.5964, "least": 0.5942, "most": 0.608}}
    lines = ["Sun Nov 29", '{"row": "another", "pairs": 1}', json.dumps({"row": row, "memory": [0.6]})]
    log.write_text("\n".join([*lines, "{torn", json.dumps(whole), "done"]), encoding="utf-8")
    name = f"learned_tokens: {row}"
    called(monkeypatch, "--record", name, log, "--commit", "HEAD", "--out", kept, "--page", written)
    record = json.loads(kept.read_text(encoding="utf-8"))
    assert [json.loads(line) for line in record[name]["printed"]] == [whole]
    assert record[name]["seconds"] is None
    assert len(record[name]["commit"]) == 40
    assert "| | peak_memory | 0.596 (0.594 to 0.608) | at most 0.75: **met** |" in written.read_text("utf-8")
    with pytest.raises(SystemExit, match="has no JSON object of peers: ner"):
        called(monkeypatch, "--record", "peers: ner", log, "--out", kept, "--page", written)


def test_the_rows_of_peers_that_are_not_installed_are_left_out(tmp_path: Path) -> None:
    row = "LoRA, half learned, over LLaMA-Factory"
    command = ["-m", "benchmarks.learned_tokens", "--data", str(tmp_path), "--row", row]
    env = {name: value for name, value in os.environ.items() if name != "LLAMA_FACTORY_PYTHON"}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True, env=env)
    assert json.loads(done.stdout) == {"row": row, "left_out": "llamafactory is not installed"}


@pytest.mark.parametrize(
    ("limit", "median", "met"),
    [
        ({"at_most": 1.0}, 1.004, True),
        ({"at_most": 1.0}, 1.006, False),
        ({"at_least": 1.6}, 1.596, True),
        ({"at_least": 1.6}, 1.59, False),
    ],
)
def test_figures_are_compared_to_two_decimals(limit: Mapping[str, Any], median: float, met: bool) -> None:
    target = Target(row="", benchmark="", figure=("a",), **limit)
    assert target.met(Figure(median=median, least=median, most=median)) is met


def test_objects_carry_their_targets() -> None:
    told = {"check, seconds": {"ner": SLOWER, "images": {"median": 3.2, "least": 3.0, "most": 4.0}}}
    carried = targets.with_targets("first_results", told)
    assert carried == {**told, "targets": {"check, seconds / *": {"at_most": 3, "met": False}}}
    assert targets.with_targets("startup", told) == told


def test_each_target_is_of_a_benchmark_and_a_missed_or_unmeasured_one_has_its_reason() -> None:
    for target in targets.targets():
        assert target.benchmark in SUITE
        _, found = page.measured(target, RECORD)
        reason = target.unmeasured if found is None else target.met(found) or target.missed
        assert reason or not target.ahead, target.row


def test_the_page_has_what_is_recorded() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert page.with_tables(text, RECORD) == text, "run: python -m benchmarks --write"
