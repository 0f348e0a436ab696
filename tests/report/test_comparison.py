"""adapt compare: what it reads from run folders, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError
from adapt_core.plugin.specs import TaskSpec
from adapt_core.report.comparison import compare
from adapt_core.run_folder.paths import RunFolder

from .. import fakes
from .test_page import plan, result


def spec_of(_task: str) -> TaskSpec:
    return fakes.task(bounds={"accuracy": (0, 1)})


def make_run(path: Path, accuracy: float, loss: float, **keys: Any) -> Path:
    folder = RunFolder(path)
    folder.prepare()
    folder.write_config(plan(path, method="LoRA", **keys))
    metrics = {"before": None, "after": {"loss": loss, "accuracy": accuracy}, "test": None}
    folder.result.write_text(result(path, metrics=metrics).to_json(), encoding="utf-8")
    rows = [
        {"phase": "train", "step": 10, "epoch": 1.0, "loss": 1.0},
        {"phase": "after", "step": 10, "epoch": 1.0, "loss": loss, "accuracy": accuracy},
    ]
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    first = make_run(tmp_path / "a" / "run", accuracy=0.9, loss=0.5, LR=0.01)
    return [first, make_run(tmp_path / "b" / "run", accuracy=0.8, loss=0.4, LR=0.02, r=4)]


def test_the_best_is_marked_by_each_metric_s_own_direction(runs: list[Path]) -> None:
    rows = {row.name: row for row in compare(runs, spec_of).figures}
    assert rows["validation accuracy"].best == (True, False)
    assert rows["validation loss"].best == (False, True)
    assert rows["validation accuracy"].cells == ("0.9000", "0.8000")
    assert rows["peak memory"].cells == ("3 GiB", "3 GiB")


def test_only_what_differs_between_the_configs_is_told(runs: list[Path]) -> None:
    settings = {row.name: row.cells for row in compare(runs, spec_of).settings}
    assert settings == {"LR": ("0.01", "0.02"), "r": ("8", "4")}


def test_runs_of_one_name_are_told_apart_by_the_folders_above(runs: list[Path]) -> None:
    assert [run.name for run in compare(runs, spec_of).runs] == ["a/run", "b/run"]
    with pytest.raises(InputError, match="given twice"):
        compare([runs[0], runs[0]], spec_of)


def test_a_folder_without_a_finished_run_is_named(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"empty does not exist"):
        compare([*runs, tmp_path / "empty"], spec_of)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty contains no finished run"):
        compare([*runs, tmp_path / "empty"], spec_of)


def test_the_page_holds_both_runs_and_needs_no_other_file(runs: list[Path]) -> None:
    page = compare(runs, spec_of).page()
    assert page.count("a/run") >= 3  # two tables and the legends
    assert 'class="best better">0.9000' in page
    assert "<script" not in page
    assert 'href="http' not in page


def test_the_command_prints_a_table_json_and_a_page(adapt: Callable[..., Any], runs: list[Path]) -> None:
    names = [str(path) for path in runs]
    shown = adapt("compare", *names)
    assert shown.returncode == 0, shown.stderr
    assert "validation accuracy" in shown.stdout
    assert "0.9000" in shown.stdout
    report = json.loads(adapt("compare", *names, "--json").stdout)
    assert [run["figures"]["validation loss"] for run in report["runs"]] == [0.5, 0.4]
    assert report["runs"][1]["settings"] == {"LR": 0.02, "r": 4}
    page = runs[0] / "compare.html"
    assert adapt("compare", *names, "-o", str(page)).returncode == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert adapt("compare", str(runs[0].parent)).returncode == 2
