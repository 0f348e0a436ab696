"""DATA_FORMAT: the format of the data by its name, and which formats serve a task."""

from __future__ import annotations

import pytest

from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.reader import read_text
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.specs import FormatSpec

from .. import fakes

PHOTOS = FormatSpec(name="photos", summary="photos", implementation="x:Y", shapes=("image+boxes",))
BRACKETS = FormatSpec(
    name="brackets", aliases=("braces",), summary="brackets", implementation="x:Y", shapes=("text+label",)
)


@pytest.fixture
def registry() -> Registry:
    """A task of tables, one of tables or labelled texts, one of photos, and two formats beside core's."""
    return fakes.registry(
        adapt_tasks=[
            fakes.task("words"),
            fakes.task("labels", shapes=lambda params: ("table", "tokens+tags" if params.subtask else "text+label")),
            fakes.task("boxes", shapes=("image+boxes",)),
        ],
        adapt_formats=[PHOTOS, BRACKETS],
    )


def config(text: str) -> RunConfig:
    return RunConfig(tuple(read_text(f"MODEL_PATH: m\nCUSTOM_DATASET_PATH: d\n{text}", "c.yaml")))


TABLES = ["delimited", "json", "sheets", "parquet", "text"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("TASK: words\n", TABLES),
        ("TASK: labels\n", [*TABLES, "brackets"]),
        ("TASK: labels\nsubtask: ner\n", TABLES),
        ("TASK: boxes\n", ["photos"]),
    ],
)
def test_formats_serve_the_tasks_that_read_their_rows(registry: Registry, text: str, names: list[str]) -> None:
    plan = resolve(config(text), registry)
    assert [one.name for one in plan.formats] == names
    assert plan_from_json(plan_to_json(plan), registry).formats == plan.formats


def test_a_format_is_named_by_any_of_its_names_and_kept_under_one(registry: Registry) -> None:
    for written in ("brackets", "Braces", "BRACKETS"):
        plan = resolve(config(f"TASK: labels\nDATA_FORMAT: {written}\n"), registry)
        assert plan.data.data_format == "brackets"
        assert plan.keys()["DATA_FORMAT"] == "brackets"
    assert resolve(config("TASK: words\nDATA_FORMAT: CSV\n"), registry).data.data_format == "delimited"
    assert resolve(config("TASK: words\nDATA_FORMAT:\n"), registry).data.data_format is None


def test_an_unknown_format_is_told_with_the_nearest_name(registry: Registry) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(config("TASK: labels\nDATA_FORMAT: bracket\n"), registry)
    assert (
        "c.yaml:4: DATA_FORMAT: no format 'bracket' is registered (there are: brackets, delimited, json, parquet, "
        "photos, sheets, text). Did you mean brackets?"
    ) in str(raised.value)


def test_a_format_that_does_not_serve_the_task_is_told_with_those_that_do(registry: Registry) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(config("TASK: words\nDATA_FORMAT: photos\n"), registry)
    assert (
        "c.yaml:4: DATA_FORMAT: photos gives rows of image+boxes, and words reads rows of table. Name one that "
        "serves it: delimited, json, sheets, parquet, text."
    ) in str(raised.value)
