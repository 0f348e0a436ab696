"""A figure that is not finite is told at the top of all that a run leaves, and never leaves JSON broken."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from adapt_core.contracts import TaskData
from adapt_core.evaluation import PerClass, of_evaluation
from adapt_core.plugin.registry import Registry
from adapt_core.report.evaluation_record import EvaluationRecord, stored
from adapt_core.report.model_card import model_card
from adapt_core.report.page import report_page
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder
from adapt_core.runtime.progress import make_reporter
from adapt_core.runtime.recorder import MetricRecorder

from .. import fakes
from .test_page import plan, result

BEFORE = {"loss": math.nan, "accuracy": 0.25}
AFTER = {"loss": math.inf, "accuracy": 0.5}


class Described:
    """Lines that load a model."""

    def loading_lines(self, save_method: str) -> str:
        return "model = ..."


class Classes:
    """A loop whose scores of a class are not finite."""

    def per_class(self, metrics: dict[str, float]) -> PerClass:
        return PerClass(labels=("a", "b"), figures={"ap": (math.nan, 0.5)})

    def unwrap_model(self) -> None:
        return None


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    held = RunFolder(tmp_path / "run")
    held.prepare()
    return held


@pytest.fixture
def recorded(folder: RunFolder) -> RunResult:
    """The result of a run whose evaluations gave such figures."""
    recorder = MetricRecorder(folder, make_reporter(is_main=True), Registry().manager, is_main=True)
    recorder.metrics("before", 0, 0.0, BEFORE)
    recorder.metrics("train", 1, 0.5, {"loss": 1.0})
    recorder.metrics("after", 4, 1.0, AFTER)
    metrics = {"before": BEFORE, "after": AFTER, "test": None}
    return result(folder.path, metrics=metrics, warnings=tuple(recorder.warnings))


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_warnings_name_the_moment_the_figure_and_its_value(recorded: RunResult) -> None:
    assert recorded.warnings == (
        "the validation before training: loss is not finite (nan)",
        "the validation after training: loss is not finite (inf)",
    )


def test_a_run_with_many_such_evaluations_says_so_once_for_each_figure(folder: RunFolder) -> None:
    recorder = MetricRecorder(folder, make_reporter(is_main=True), Registry().manager, is_main=True)
    for step in range(10, 1000, 10):
        recorder.metrics("eval", step, 1.0, {"loss": math.nan, "f1": math.nan if step > 500 else 0.5})
    assert recorder.warnings == [
        "the validation at step 10: loss is not finite (nan)",
        "the validation at step 510: f1 is not finite (nan)",
    ]


def test_they_stand_above_the_metrics_on_the_page_and_the_card(folder: RunFolder, recorded: RunResult) -> None:
    chosen, registry = plan(folder.path), fakes.registry_with_all()
    page = report_page(chosen, registry, folder, recorded)
    card = model_card(chosen, registry.task_spec("words"), Described(), recorded)  # type: ignore[arg-type]
    for text, figures in ((page, "accuracy</td>"), (card, "| accuracy |")):
        for warning in recorded.warnings:
            assert 0 < text.index(warning) < text.index(figures)
    assert "| loss | not finite | not finite |" in card


def test_the_result_and_the_metrics_stay_json(folder: RunFolder, recorded: RunResult) -> None:
    assert strict(recorded.to_json())["metrics"]["after"] == {"loss": None, "accuracy": 0.5}
    assert [strict(line)["loss"] for line in folder.metrics.read_text().splitlines()] == [None, 1.0, None]
    again = RunResult.from_json(recorded.to_json())
    assert again.warnings == recorded.warnings
    assert again.metrics["before"] is not None
    assert math.isnan(again.metrics["before"]["loss"])


def test_scores_of_a_class_stay_json_and_are_shown(folder: RunFolder, recorded: RunResult) -> None:
    task: Any = Described()
    record = EvaluationRecord(task, TaskData(), folder, plan=plan(folder.path), is_main=True, directions={})
    record.record("after", Classes(), AFTER)  # type: ignore[arg-type]
    assert strict(folder.evaluation.read_text())["after"]["per_class"]["figures"] == {"ap": [None, 0.5]}
    record.record("before", Classes(), BEFORE)  # type: ignore[arg-type]
    assert set(stored(folder)) == {"before", "after"}
    page = report_page(plan(folder.path), fakes.registry_with_all(), folder, recorded)
    assert "not finite</td>" in page
    assert "0.5000" in page


def test_the_hub_is_told_of_finite_figures_alone(tmp_path: Path) -> None:
    config = plan(tmp_path, TASK="text_classification")
    registry = fakes.registry_with_all()
    made = result(tmp_path, metrics={"before": BEFORE, "after": AFTER, "test": None})
    card = model_card(config, registry.task_spec("text_classification"), Described(), made)  # type: ignore[arg-type]
    head = YAML(typ="safe", pure=True).load(card.split("---")[1])
    assert head["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "name": "accuracy", "value": 0.5}]


def test_predictions_of_such_an_evaluation_are_found_again() -> None:
    loss = float("nan")
    assert of_evaluation({(("loss", loss),): "kept"}, {"loss": loss, "accuracy": 0.5}) == "kept"
