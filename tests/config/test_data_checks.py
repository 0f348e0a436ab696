"""VERDICT: the checks of the data by name, and which of them serve a task."""

from __future__ import annotations

import pytest

from adapt_core.config.data_checks import serving_checks
from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.reader import read_text
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.specs import DataCheckSpec

from .. import fakes


@pytest.fixture
def registry() -> Registry:
    """A task of labelled texts, one of photos, and two checks beside core's."""
    return fakes.registry(
        adapt_tasks=[
            fakes.task("labels", shapes=("table", "text+label")),
            fakes.task("boxes", shapes=("image+boxes",)),
        ],
        adapt_data_checks=[
            DataCheckSpec(name="twins", summary="rows twice", implementation="x:Y"),
            DataCheckSpec(name="wrong", aliases=("errors",), summary="labels", implementation="x:Y", shapes=("table",)),
        ],
    )


def config(text: str) -> RunConfig:
    return RunConfig(tuple(read_text(f"MODEL_PATH: m\nCUSTOM_DATASET_PATH: d\n{text}", "c.yaml")))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("TASK: labels\n", ["groups", "twins", "wrong"]),
        ("TASK: boxes\n", ["groups", "twins"]),
        ("TASK: labels\nVERDICT: AUTO\n", ["groups", "twins", "wrong"]),
        ("TASK: labels\nVERDICT: none\n", []),
        ("TASK: labels\nVERDICT: errors\n", ["wrong"]),
        ("TASK: labels\nVERDICT: [Wrong, twins]\n", ["wrong", "twins"]),
        ("TASK: boxes\nVERDICT: [wrong, twins]\n", ["twins"]),
    ],
)
def test_the_checks_that_are_named_or_serve_the_task_are_made(registry: Registry, text: str, names: list[str]) -> None:
    plan = resolve(config(text), registry)
    read = plan_from_json(plan_to_json(plan), registry)
    found = serving_checks(read.run, registry.task_spec(plan.task.name), plan.task.params, registry)
    assert [one.spec.name for one in found] == names


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("twin", r"c.yaml:4: VERDICT: no check of the data is named 'twin'. Did you mean twins\? There are: groups"),
        ("label_errors", "more are in adapt-verdict: pip install adapt-verdict"),
        ("[none, twins]", "must be auto, none, or names of checks; not none, twins"),
        ("[]", "must be auto, none, or names of checks; not an empty list"),
    ],
)
def test_a_name_that_is_no_check_is_an_error_of_the_config(registry: Registry, value: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        resolve(config(f"TASK: labels\nVERDICT: {value}\n"), registry)


def test_the_seconds_are_above_zero(registry: Registry) -> None:
    with pytest.raises(ConfigError, match="VERDICT_SECONDS"):
        resolve(config("TASK: labels\nVERDICT_SECONDS: 0\n"), registry)
