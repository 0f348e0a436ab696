"""CUSTOM_DATASET_PATH as a list: several data sets in one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapt_core.config.data_places import DataPlace, data_places
from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.reader import read_mapping
from adapt_core.config.resolver import RunConfig, resolve

from .. import fakes
from .resolving import plan, problems

BASE = "TASK: words\nMODEL_PATH: ./m\n"


def test_a_place_is_a_path_or_a_mapping() -> None:
    listed = "CUSTOM_DATASET_PATH:\n- shop/train.jsonl\n- path: posts.csv\n  Weight: 2\n  columns: {body: text}\n"
    assert data_places(plan(listed, base=BASE).data) == (
        DataPlace(path="shop/train.jsonl", name="shop", weight=1.0),
        DataPlace(path="posts.csv", name="posts", weight=2.0, columns={"body": "text"}),
    )


def test_no_place_has_a_weight_where_none_is_given() -> None:
    found = data_places(plan("CUSTOM_DATASET_PATH: [a.csv, {path: b.csv, name: other}]\n", base=BASE).data)
    assert [(place.name, place.weight) for place in found] == [("a", None), ("other", None)]


def test_values_of_a_place_are_read_as_those_of_keys() -> None:
    """None is not given, also as text, and a number may be quoted."""
    rest = ", columns: None, format: None, name: None}"
    first, second = data_places(
        plan(
            f"CUSTOM_DATASET_PATH: [{{path: a.csv, weight: '2'{rest}, {{path: b.csv, weight: None{rest}]\n", base=BASE
        ).data
    )
    assert first == DataPlace(path="a.csv", name="a", weight=2.0)
    assert second == DataPlace(path="b.csv", name="b", weight=1.0)


def test_a_path_alone_is_no_list() -> None:
    assert data_places(plan("").data) == ()
    assert plan("").data.custom_dataset_path == "./d"


def test_a_list_is_given_on_the_command_line_and_from_python() -> None:
    on_the_line = plan("", None, "CUSTOM_DATASET_PATH=[a.csv, {path: b.csv, weight: 3}]")
    keys = {"TASK": "words", "MODEL_PATH": "./m", "DATA_PATH": [Path("a.csv"), {"path": Path("b.csv"), "weight": 3}]}
    from_python = resolve(RunConfig(tuple(read_mapping(keys))), fakes.registry_with_all())
    assert data_places(on_the_line.data) == data_places(from_python.data)
    assert [place.weight for place in data_places(from_python.data)] == [1.0, 3.0]


def test_a_plan_keeps_its_places_on_the_way_to_other_processes() -> None:
    registry = fakes.registry_with_all()
    made = plan("CUSTOM_DATASET_PATH: [a.csv, {path: b.csv, weight: 3}]\n", registry, base=BASE)
    assert data_places(plan_from_json(plan_to_json(made), registry).data) == data_places(made.data)
    assert made.keys()["CUSTOM_DATASET_PATH"] == ["a.csv", {"path": "b.csv", "weight": 3}]


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ("[a.csv, {path: b.csv, wieght: 2}]", "place 2 has an unknown key 'wieght'. Did you mean weight?"),
        ("[{weight: 2}, a.csv]", "place 1 has no path."),
        ("[a.csv, {path: b.csv, weight: 0}]", "place 2: weight must be a number above 0; not 0."),
        ("[a.csv, {path: b.csv, weight: heavy}]", "place 2: weight must be a number above 0; not 'heavy'."),
        ("[a.csv, {path: b.csv, name: 'b@c'}]", "place 2: name 'b@c' must be letters, digits"),
        ("[x/a.csv, y/a.csv]", "2 places have the name 'a'. Give each a name of its own"),
        ("[a.csv, {path: b.csv, columns: body}]", "place 2: columns must be a mapping"),
        ("[a.csv, b.csv]\nTRAIN_DIR: c", "is a list of places, and TRAIN_DIR names a split of one."),
        ("[a.csv, {path: b.csv, format: nothing}]", "place 2: format 'nothing' does not serve the task."),
    ],
)
def test_a_fault_of_a_place_is_told(listed: str, told: str) -> None:
    found = problems(f"CUSTOM_DATASET_PATH: {listed}\n", base=BASE)
    assert told in found
    assert "c.yaml:3: CUSTOM_DATASET_PATH" in found


def test_a_metric_of_one_place_decides_what_is_best() -> None:
    listed = "CUSTOM_DATASET_PATH: [a.csv, b.csv]\nMETRIC_FOR_BEST: loss@b\n"
    assert plan(listed, base=BASE).training.metric_for_best == "loss@b"
    assert "has no metric 'loss@c'" in problems(listed.replace("@b", "@c"), base=BASE)
    assert "has no metric 'loss@b'" in problems("METRIC_FOR_BEST: loss@b\n")
