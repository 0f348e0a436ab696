"""METRICS in runs: their values, what they decide, and where they are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registry
from adapt_core.report.comparison import compare

Run = Callable[..., Any]
Keys = dict[str, Any]


@pytest.fixture
def learns(tmp_path: Path) -> Keys:
    """What is learned in a few steps: which of two words a text has, with a few wrong labels in validation."""
    folder = tmp_path / "words"
    folder.mkdir()
    words = ("room", "workshop", "account")
    for split, rows in (("train", 192), ("validation", 48)):
        wrong = [split == "validation" and number % 7 == 0 for number in range(rows)]
        lines = [{"text": f"the {words[n % 3]} {n}", "label": f"k{(n + wrong[n]) % 3}"} for n in range(rows)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return {"CUSTOM_DATASET_PATH": str(folder), "LR": 2e-3, "EPOCHS": 4, "MAX_TRAIN_SAMPLES": None}


def test_a_classifier_is_scored_by_them_and_keeps_the_best(run: Run, learns: Keys, tmp_path: Path) -> None:
    result = run(METRICS="mcc, cohen_kappa, macro_precision, accuracy", METRIC_FOR_BEST="mcc", KEEP="best", **learns)
    after = result.metrics["after"]
    names = {"loss", "accuracy", "macro_f1", "mcc", "cohen_kappa", "macro_precision"}
    assert set(after) == set(result.metrics["before"]) == names
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    evaluations = [row for row in rows if row["phase"] == "eval"]
    assert len({row["mcc"] for row in evaluations}) > 1
    assert after["mcc"] == max(row["mcc"] for row in evaluations)


def test_the_values_are_those_of_the_predictions(run: Run, keys: Keys, tmp_path: Path) -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    result = run(METRICS=["mcc", "balanced_accuracy"])
    file = next(Path(keys["CUSTOM_DATASET_PATH"]).glob("validation.*"))
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found = [one["label"] for one in adapt_core.predict(tmp_path / "run", [row["text"] for row in rows])]
    labels = [str(row["label"]) for row in rows]
    assert result.metrics["after"]["mcc"] == pytest.approx(sklearn_metrics.matthews_corrcoef(labels, found))
    expected = sklearn_metrics.balanced_accuracy_score(labels, found)
    assert result.metrics["after"]["balanced_accuracy"] == pytest.approx(expected)


def test_the_report_and_the_comparison_know_directions_and_bounds(run: Run, learns: Keys, tmp_path: Path) -> None:
    run(METRICS="mcc", **learns)
    assert "mcc" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    adapt_core.run(tmp_path / "run" / "config.yaml", overrides=[f"OUTPUT_DIR={tmp_path / 'other'}", "LR=0"])
    registry = Registry.discover()
    compared = compare(
        [tmp_path / "run", tmp_path / "other"],
        registry.task_spec,
        lambda name: item.spec if (item := registry.metrics.find(name)) else None,
    )
    rows = {row.name: row for row in compared.figures}
    values = rows["validation mcc"].values
    assert rows["validation mcc"].best == tuple(value == max(values) for value in values)
    assert compared.bounds["mcc"] == (-1, 1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"METRICS": "rougeL"}, "rouge scores text, and text_classification predicts class or labels or numbers here"),
        ({"METRICS": "seqeval"}, "seqeval scores tags"),
        ({"METRICS": "acuracy"}, "Did you mean accuracy?"),
        ({"METRICS": "jaccard", "problem_type": "single_label"}, "jaccard scores labels"),
    ],
)
def test_a_metric_of_other_predictions_is_an_error_before_anything_is_read(run: Run, changes: Keys, told: str) -> None:
    with pytest.raises(InputError) as caught:
        run(**changes)
    assert told in str(caught.value)


def test_one_that_the_data_rules_out_is_an_error_before_training(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="METRICS: max_error scores numbers, and this run predicts none"):
        run(METRICS="max_error")
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_key_that_a_metric_needs_is_told_as_it_is_written(keys: Keys) -> None:
    changes = {"TASK": "text_generation", "METRICS": "json_schema, regex"}
    with pytest.raises(InputError) as caught:
        adapt_core.check({**keys, **changes})
    assert "json_schema needs a value for JSON_SCHEMA" in str(caught.value)
    assert "regex needs a value for ANSWER_PATTERN" in str(caught.value)
