"""METRICS: names, what fits a task, parameters of metrics, and the metrics of a run as other keys see them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from adapt_core.config.metrics import bounds_of, metrics_of
from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.schema import config_schema
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.params import param
from adapt_core.plugin.registry import Registry

from .. import fakes
from .resolving import plan, problems


@attrs.frozen
class DepthParams:
    """Parameters of a metric of the tests'."""

    how_deep: int = param(3, "How deep.", key="HOW_DEEP", ge=1)
    where: str = param(help="Where.", key="WHERE")


def metric(name: str, *kinds: str, **changes: Any) -> MetricSpec:
    return MetricSpec(name=name, summary=f"a metric of {kinds}", kinds=kinds, implementation="x:y", **changes)


@pytest.fixture
def registry() -> Registry:
    """A task of texts with metrics of its own, one that predicts nothing, and metrics beside core's."""
    return fakes.registry(
        adapt_tasks=[
            fakes.task("words", predictions=("text",), metrics={"sameness": "higher"}, bounds={"sameness": (0, 1)}),
            fakes.task("drawings", predictions=()),
        ],
        adapt_metric_specs=[
            metric("edits", "text", direction="lower", bounds=(0, 9), aliases=("wer",)),
            metric("overlap", "text", "answer", figures=("overlap1", "overlap2"), bounds=(0, 100)),
            metric("depth", "text", params=DepthParams),
            metric("learned", "text", requires=("a-distribution-that-is-nowhere",)),
            metric("boxes", "objects"),
            metric("sameness", "text", aliases=("alike",)),
        ],
    )


def test_metrics_go_into_the_plan_and_to_worker_processes(registry: Registry) -> None:
    found = plan("METRICS: [WER, overlap, edits]\n", registry)
    assert [one.name for one in found.metrics] == ["edits", "overlap"]
    assert plan_from_json(plan_to_json(found), registry).metrics == found.metrics
    assert plan("", registry).metrics == ()


def test_directions_and_bounds_are_those_of_the_task_and_of_the_chosen(registry: Registry) -> None:
    found = plan("METRICS: edits, overlap\n", registry)
    assert metrics_of(found, registry) == {
        "sameness": "higher",
        "edits": "lower",
        "overlap1": "higher",
        "overlap2": "higher",
    }
    assert bounds_of(found, registry) == {
        "sameness": (0, 1),
        "edits": (0, 9),
        "overlap1": (0, 100),
        "overlap2": (0, 100),
    }


@pytest.mark.parametrize("written", ["wer", "WER", "eval_wer", "edits"])
def test_the_best_may_be_named_by_an_alias(registry: Registry, written: str) -> None:
    """The plan has the name that evaluations report, so that whoever asks for the best finds it."""
    found = plan(f"METRICS: edits\nMETRIC_FOR_BEST: {written}\n", registry)
    assert found.training.metric_for_best == "edits"
    assert "words has no metric 'wer'" in problems("METRIC_FOR_BEST: wer\n", registry)


def test_an_alias_of_what_the_task_reports_is_its_name(registry: Registry) -> None:
    found = plan("METRICS: overlap\nMETRIC_FOR_BEST: alike\n", registry)
    assert found.training.metric_for_best == "sameness"
    assert "words has no metric 'overlap'" in problems("METRICS: overlap\nMETRIC_FOR_BEST: overlap\n", registry)


def test_the_best_may_be_that_of_a_chosen_metric(registry: Registry) -> None:
    assert plan("METRICS: overlap\nMETRIC_FOR_BEST: overlap2\n", registry).training.metric_for_best == "overlap2"
    told = problems("METRIC_FOR_BEST: overlap2\n", registry)
    assert "words has no metric 'overlap2'; it has loss, sameness." in told
    assert "METRICS adds others." in told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("edit", "c.yaml:4: METRICS: no metric 'edit' is registered"),
        ("edit", "Did you mean edits?"),
        ("token_f1", "METRICS: metric 'token_f1' is in adapt-nlp: pip install adapt-nlp"),
        ("learned", "METRICS: learned of adapt-tests needs a-distribution-that-is-nowhere."),
        ("learned", "pip install a-distribution-that-is-nowhere"),
        ("boxes", "METRICS: boxes scores objects, and words predicts text here."),
        ("boxes", "There are: depth, edits, learned, overlap, sameness."),
        ("accuracy", "accuracy scores class, and words predicts text here."),
        ("depth", "WHERE: depth needs a value for WHERE"),
        ("{a: 1}", "METRICS (core): must be a list of str"),
    ],
)
def test_a_metric_that_cannot_be_used_is_told_with_what_could(registry: Registry, value: str, told: str) -> None:
    assert told in problems(f"METRICS: {value}\n", registry)


def test_a_task_that_predicts_nothing_takes_none(registry: Registry) -> None:
    told = problems("METRICS: edits\n", registry, base="TASK: drawings\nMODEL_PATH: m\nCUSTOM_DATASET_PATH: d\n")
    assert "edits scores text, and drawings predicts nothing that metrics score here. Leave METRICS out." in told


def test_a_metric_s_own_keys_are_read_where_it_is_chosen_and_nowhere_else(registry: Registry) -> None:
    found = plan("METRICS: depth\nHOW_DEEP: 5\nWHERE: here\n", registry)
    assert found.metrics[0].params == DepthParams(how_deep=5, where="here")
    assert {"METRICS": ["depth"], "HOW_DEEP": 5, "WHERE": "here"}.items() <= found.keys().items()
    assert plan_from_json(plan_to_json(found), registry).metrics == found.metrics
    unused = " ".join(plan("HOW_DEEP: 5\n", registry).remarks)
    assert "HOW_DEEP (read by depth of adapt-tests)" in unused
    assert "HOW_DEEP (depth): must be" in problems("METRICS: depth\nWHERE: x\nHOW_DEEP: 0\n", registry)


def test_the_schema_of_configs_knows_the_names_and_the_keys(registry: Registry) -> None:
    keys = config_schema(registry)["properties"]
    assert {"edits", "overlap", "accuracy"} <= set(keys["METRICS"]["anyOf"][0]["enum"])
    assert "HOW_DEEP" in keys


def test_metrics_need_evaluations(registry: Registry) -> None:
    assert "METRICS: are measured in evaluations" in problems("METRICS: edits\nDO_EVAL: false\n", registry)
