"""Labels as tables and scripts write them: vectors of 0 and 1, lists as text, booleans, texts with a comma."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.reader import read_mapping
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import DataError
from adapt_core.hf.data.labels import read_labels
from adapt_core.hf.data.source import load_raw
from adapt_core.hf.data.splits import load_splits
from adapt_core.hf.problems.choice import choose_problem, target_columns
from adapt_core.hf.problems.targets import labels_of, target_values
from adapt_core.plugin.registry import Registry

Read = Callable[..., tuple[str, list[Any]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Returns the kind of problem that labels pose, and the labels or numbers of each row."""

    def read_rows(labels: list[Any], suffix: str = "jsonl", **keys: Any) -> tuple[str, list[Any]]:
        rows = [row if isinstance(row, dict) else {"label": row} for row in labels]
        file = tmp_path / f"train.{suffix}"
        with file.open("w", encoding="utf-8", newline="") as out:
            if suffix == "csv":
                table = csv.DictWriter(out, ["text", *rows[0]])
                table.writeheader()
                table.writerows({"text": f"text {number}", **row} for number, row in enumerate(rows))
            else:
                out.writelines(json.dumps({"text": f"text {number}", **row}) + "\n" for number, row in enumerate(rows))
        given = {"TASK": "text_classification", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": str(tmp_path), **keys}
        plan = resolve(RunConfig(tuple(read_mapping({**given, "DO_EVAL": False}))), Registry.discover())
        columns = target_columns(plan)
        train = load_splits(plan)["train"]
        targets = choose_problem(plan, train, columns).targets
        values = list(target_values(train, columns))
        assert [targets.fault(value) for value in values] == [None] * len(values)
        encoded = [targets.encode(value) for value in values]
        if targets.kind == "regression":
            return targets.kind, encoded
        return targets.kind, [labels_of(target, targets.names) for target in encoded]

    return read_rows


@pytest.mark.parametrize("labels", [[[0, 1, 1], [0, 0, 0], [1, 0, 0]], [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0, 0]]])
@pytest.mark.parametrize("keys", [{}, {"problem_type": "multi_label"}])
def test_vectors_of_0_and_1_have_a_label_in_each_place(read: Read, labels: list[Any], keys: dict[str, str]) -> None:
    assert read(labels, **keys) == ("multi_label", [["label_2", "label_3"], [], ["label_1"]])


def test_lists_of_class_numbers_are_names(read: Read) -> None:
    assert read([[0, 1], [1], [0]]) == ("multi_label", [["0", "1"], ["1"], ["0"]])
    assert read([[0, 2], [1, 2], [0, 1]]) == ("multi_label", [["0", "2"], ["1", "2"], ["0", "1"]])


@pytest.mark.parametrize(
    "labels", [["['joy', 'anger']", "[]", '["it\'s"]'], ['["joy", "anger"]', "[]", '["it\'s"]']], ids=["pandas", "JSON"]
)
@pytest.mark.parametrize("keys", [{}, {"problem_type": "multi_label"}, {"label_separator": ","}])
def test_lists_that_a_csv_has_as_text_are_lists(read: Read, labels: list[str], keys: dict[str, str]) -> None:
    kind, found = read(labels, "csv", **keys)
    assert (kind, [set(row) for row in found]) == ("multi_label", [{"joy", "anger"}, set(), {"it's"}])


def test_vectors_and_numbers_that_a_csv_has_as_text_are_lists(read: Read) -> None:
    assert read(["[0, 1]", "[1, 0]"], "csv") == ("multi_label", [["label_2"], ["label_1"]])
    assert read(["[0.5, 1]", "[1, 0]"], "csv") == ("regression", [[0.5, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize("keys", [{}, {"problem_type": "multi_label"}])
def test_lists_without_commas_are_refused(read: Read, keys: dict[str, str]) -> None:
    message = r"training row 2: column 'label': .* looks like a list.*commas between the items of .*csv:3"
    with pytest.raises(DataError, match=message):
        read(["['joy']", "['joy' 'anger']"], "csv", **keys)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_booleans_are_0_and_1(read: Read, suffix: str) -> None:
    rows = [{"joy": True, "anger": False}, {"joy": False, "anger": False}]
    for keys in ({}, {"problem_type": "multi_label"}):
        assert read(rows, suffix, target_columns=["joy", "anger"], **keys) == ("multi_label", [["joy"], []])


def test_one_label_with_a_comma_is_told(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    read(["joy", "anger", "fear", "Health, fitness"], problem_type="multi_label")
    assert "1 of 4 different texts have ',', as 'Health, fitness', and are parted there" in caplog.text
    caplog.clear()
    read(["joy", "joy, anger", "fear, joy"], problem_type="multi_label")
    assert "different texts" not in caplog.text


def test_a_label_that_is_none_is_told_with_its_line_and_the_remedy(read: Read) -> None:
    message = r"training row 2: .* contains 0\.5: .* Correct .*train\.jsonl:2, or set problem_type: regression"
    with pytest.raises(DataError, match=message):
        read([1, 0.5, 2], problem_type="single_label")
    with pytest.raises(DataError, match=r"training row 1: .* contains \[\['joy'\]\]: a label must .*train\.jsonl:1\."):
        read([[["joy"]], [["joy"]]])


def test_ratings_that_a_csv_spells_in_two_ways_are_told(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    assert read(["0", "0.5", "1"], "csv")[0] == "single_label"
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "If they are amounts, set problem_type: regression." in warning


def test_numbers_of_one_data_set_and_names_of_another_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, labels in (("one", [0, 1]), ("two", ["neg", "pos"]), ("three", ["0", "1"])):
        rows = [json.dumps({"text": "a", "label": label}) for label in labels]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows))

    def read_places(*names: str) -> str:
        caplog.clear()
        data = DataParams(custom_dataset_path=tuple(str(tmp_path / f"{name}.jsonl") for name in names))
        read_labels(load_raw(data)["train"], "label")
        return caplog.text

    told = read_places("one", "two")
    assert "one.jsonl are numbers (0), and those of" in told
    assert "two.jsonl names (neg), so they are different classes" in told
    assert "numbers" not in read_places("one", "three")
