"""95 % intervals of the metrics of language tasks: in the result, on screen, in the report and in the model card."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adapt_core
from adapt_core.cli.tables import metrics_table

Run = Callable[..., Any]


def bracketed(low: float, high: float) -> str:
    return f"({low:.4f} to {high:.4f})"


def test_a_classifier_has_one_beside_each_metric_of_its_final_weights(run: Run, tmp_path: Path) -> None:
    result = run()
    assert set(result.intervals) == {"after"}
    assert set(result.intervals["after"]) == {"accuracy", "macro_f1"}
    for name, (low, high) in result.intervals["after"].items():
        assert 0 <= low < result.metrics["after"][name] < high <= 1
    shown = bracketed(*result.intervals["after"]["accuracy"])
    assert shown in metrics_table(result)
    assert shown in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert page.count(shown) in (2, 3)  # the headline, the table, and a point of the curve, without zeros at its end
    stored = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert stored["intervals"] == result.intervals
    assert adapt_core.RunResult.from_json(json.dumps(stored)) == result


def test_they_are_those_of_the_step_that_the_model_keeps(run: Run) -> None:
    """Of KEEP: best, an evaluation that is neither the last nor the one before it."""
    best = run(KEEP="best", EPOCHS=5, LR=0.05, METRIC_FOR_BEST="accuracy")
    low, high = best.intervals["after"]["accuracy"]
    assert low <= best.metrics["after"]["accuracy"] <= high


def test_the_test_split_has_its_own(run: Run, inbox: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("train.jsonl", "validation.jsonl"):
        (data / name).write_bytes((inbox / name).read_bytes())
    (data / "test.jsonl").write_bytes((inbox / "validation.jsonl").read_bytes())
    result = run(CUSTOM_DATASET_PATH=str(data), MAX_EVAL_SAMPLES=None)
    assert result.intervals["test"] == result.intervals["after"]  # the same rows, the same draws


def test_a_run_that_only_evaluates_has_those_of_the_base_model(run: Run) -> None:
    result = run(DO_TRAIN=False)
    assert set(result.intervals) == {"before"}
    assert set(result.intervals["before"]) == {"accuracy", "macro_f1"}


def test_the_same_seed_gives_the_same_and_they_change_nothing_else(run: Run, tmp_path: Path) -> None:
    first = run()
    again = run(OUTPUT_DIR=str(tmp_path / "again"))
    assert again.intervals == first.intervals
    assert again.metrics == first.metrics


def test_figures_on_screen_without_an_interval_stand_alone(run: Run) -> None:
    [line] = [line for line in metrics_table(run()).splitlines() if line.startswith("loss")]
    assert re.fullmatch(r"loss +\d+\.\d{4} +\d+\.\d{4}", line)
