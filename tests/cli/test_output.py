"""What commands print: names of folders as they are, nothing that a terminal obeys, in any encoding, in 80 columns."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core import cli

from ..report.test_comparison import make_run

Adapt = Callable[..., Any]
CLI = Path(cli.__file__).parent


@pytest.mark.parametrize("module", sorted({*CLI.glob("*.py")} - {CLI / "output.py"}), ids=lambda path: path.stem)
def test_every_command_prints_through_the_one_place_that_escapes(module: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
    names = {call.attr for call in calls if isinstance(call, ast.Attribute)}
    names |= {call.id for call in calls if isinstance(call, ast.Name)}
    assert not names & {"echo", "secho", "print_exception"}


@pytest.mark.parametrize("name", ["lora[r=8]", "[bold red]x", "a\x1b[31mb", "gpj\u202egpj.exe", "é 大", "two\nlines"])
def test_compare_shows_a_folder_s_name_as_it_is(adapt: Adapt, tmp_path: Path, name: str) -> None:
    runs = [make_run(tmp_path / name, 0.9, 0.5, LR=0.01), make_run(tmp_path / "full", 0.8, 0.4, LR=0.02)]
    done = adapt("compare", *map(str, runs))
    assert done.returncode == 0, done.stderr
    shown = name.replace("\x1b", r"\u001b").replace("\u202e", r"\u202e").replace("\n", r"\n")
    assert shown in done.stdout
    assert not set("\x1b\u202e") & set(done.stdout)
    report = json.loads(adapt("compare", *map(str, runs), "--json").stdout)
    assert [run["name"] for run in report["runs"]] == [name, "full"]


def test_an_encoding_without_the_characters_is_no_defect(adapt: Adapt, tmp_path: Path) -> None:
    run = make_run(tmp_path / "é 大", 0.9, 0.5)
    done = adapt("compare", str(run), env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert r"\u00e9 \u5927" in done.stdout


def test_a_file_s_name_in_an_error_is_shown_not_obeyed(adapt: Adapt) -> None:
    done = adapt("check", "no\x1b[31msuch\u202e.yaml")
    assert done.returncode == 2
    assert r"no\u001b[31msuch\u202e.yaml" in done.stderr


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("result.json", "{", "no result of a run"),
        ("result.json", "[]", "it is not a JSON object"),
        ("result.json", "{}", "it has no status"),
        ("result.json", {"steps": "many"}, "steps is 'many'"),
        ("result.json", {"metrics": {"after": {"accuracy": "0.9"}}}, "accuracy of after is '0.9'"),
        ("result.json", {"metrics": {"after": 3}}, "metrics of after is 3"),
        ("result.json", {"artifact_bytes": None}, "artifact_bytes is None"),
        ("result.json", None, "Is a directory"),
        ("metrics.jsonl", "x\ny\n", "metrics.jsonl:1"),
        ("metrics.jsonl", None, "Is a directory"),
        ("config.yaml", "[", "config.yaml:1"),
        ("config.yaml", "a: 1", "config.yaml is not the config of a run"),
        ("config.yaml", None, "Is a directory"),
    ],
)
def test_compare_names_the_damaged_folder_and_file(
    adapt: Adapt, tmp_path: Path, file: str, content: str | dict[str, Any] | None, reason: str
) -> None:
    good, bad = make_run(tmp_path / "good", 0.9, 0.5), make_run(tmp_path / "bad", 0.8, 0.4)
    if content is None:
        (bad / file).unlink()
        (bad / file).mkdir()
    elif isinstance(content, dict):
        (bad / file).write_text(json.dumps({**json.loads((bad / file).read_text()), **content}))
    else:
        (bad / file).write_text(content)
    done = adapt("compare", str(good), str(bad))
    assert done.returncode == 2, done.stderr
    assert str(bad / file) in done.stderr
    assert reason in done.stderr


def test_tables_fit_the_terminal(adapt: Adapt) -> None:
    for columns in (80, 60):
        for command in ("plugins", "params"):
            done = adapt(command, env={"COLUMNS": str(columns)})
            assert done.returncode == 0, done.stderr
            assert [line for line in done.stdout.splitlines() if len(line) > columns] == []
    narrow, wide = (adapt("params", "LR", env={"COLUMNS": width}).stdout for width in ("60", "300"))
    assert len(narrow.splitlines()) > len(wide.splitlines())
    assert "Learning rate, at the top of the schedule. [at least 0]" in wide


def test_keys_of_one_section_stay_together_and_none_is_lost(adapt: Adapt) -> None:
    sections = json.loads(adapt("params", "EPOCHS", "LR", "epochs", "OUTPUT_DIR", "--json").stdout)
    assert {title: [row["key"] for row in rows] for title, rows in sections.items()} == {
        "core: training": ["EPOCHS", "LR"],
        "core: run": ["OUTPUT_DIR"],
    }
    every = json.loads(adapt("params", "training", "LR", "--json").stdout)
    keys = [row["key"] for row in every["core: training"]]
    assert len(keys) == len(set(keys)) > 10
