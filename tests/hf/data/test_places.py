# ruff: noqa: E402
"""Several data sets as one: columns, classes, shares of an epoch, and the place of a row."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

datasets = pytest.importorskip("datasets", reason="needs the extra adapt-core[hf]")

from adapt_core.config.core_params.data import DataParams
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.columns import drop_bad_rows
from adapt_core.hf.data.labels import read_labels
from adapt_core.hf.data.places import PLACE, epoch_rows, take_apart
from adapt_core.hf.data.row_places import place_of
from adapt_core.hf.data.source import load_raw


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


def load(*places: str | dict[str, Any]) -> dict[str, datasets.Dataset]:
    return load_raw(DataParams(custom_dataset_path=places))


def test_rows_of_all_places_stand_one_after_the_other(tmp_path: Path) -> None:
    one = write(tmp_path / "one" / "train.jsonl", {"text": "a", "label": "x"}, {"text": "b", "label": "y"})
    write(tmp_path / "two" / "train.jsonl", {"text": "c", "label": "x", "source": "web"})
    write(tmp_path / "two" / "validation.jsonl", {"text": "d", "label": "y", "source": "web"})
    splits = load(one, str(tmp_path / "two"))
    assert splits["train"].to_list() == [
        {"text": "a", "label": "x", "source": None, PLACE: 0},
        {"text": "b", "label": "y", "source": None, PLACE: 0},
        {"text": "c", "label": "x", "source": "web", PLACE: 1},
    ]
    rows, parts = take_apart(splits["validation"])
    assert rows.to_list() == [{"text": "d", "label": "y", "source": "web"}]
    assert parts == {1: range(1)}
    assert load(one, str(tmp_path / "two"))["train"]._fingerprint == splits["train"]._fingerprint


def test_classes_are_united_by_name(tmp_path: Path) -> None:
    """The number 1 of a list of classes is its name there; a whole number that is written is the class 1."""
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})
    for place, names in (("one", ["neg", "pos"]), ("two", ["pos", "1"])):
        (tmp_path / place).mkdir()
        named = rows.cast_column("label", datasets.ClassLabel(names=names))
        named.to_parquet(str(tmp_path / place / "train.parquet"))
    three = write(tmp_path / "three.jsonl", {"text": "c", "label": 1})
    joined = load(str(tmp_path / "one"), str(tmp_path / "two"), three)["train"]
    labels = read_labels(joined, "label")
    assert [labels.names[labels.id_of(value)] for value in joined["label"]] == ["neg", "pos", "pos", "1", "1"]


def test_a_column_of_another_name_is_renamed(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", {"text": "a", "label": "x"})
    two = write(tmp_path / "two.jsonl", {"body": "b", "label": "x"})
    renamed = load(one, {"path": two, "columns": {"body": "text"}})["train"]
    assert renamed["text"][:] == ["a", "b"]
    assert place_of(renamed, "train", 1) == f"{two}:1"
    with pytest.raises(DataError, match=r"two\.jsonl: columns: the train split has no column 'boddy'; it has: body"):
        load(one, {"path": two, "columns": {"boddy": "text"}})
    with pytest.raises(DataError, match="'body' cannot be called 'label'"):
        load(one, {"path": two, "columns": {"body": "label"}})


def test_a_column_of_another_shape_names_the_place(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", {"text": "a"})
    two = write(tmp_path / "two.jsonl", {"text": ["b"]})
    with pytest.raises(DataError, match=r"two\.jsonl: column 'text' of the train split holds lists, and other things"):
        load(one, two)


def test_numbers_and_conversations_of_several_kinds_are_kept_as_they_are(tmp_path: Path) -> None:
    one = [{"n": 1, "turns": [{"role": "user", "content": "a"}]}, {"n": 2, "turns": []}]
    two = [{"n": 0.5, "turns": [{"role": "user", "content": "b", "name": "Ann"}]}, {"n": "many", "turns": None}]
    joined = load(write(tmp_path / "one.jsonl", *one), write(tmp_path / "two.jsonl", *two))["train"]
    assert joined["n"][:] == [1, 2, 0.5, "many"]
    turns = [[{k: v for k, v in turn.items() if v is not None} for turn in row or []] for row in joined["turns"]]
    assert turns == [row["turns"] or [] for row in [*one, *two]]


def test_an_error_in_a_place_names_it(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", {"text": "a"})
    with pytest.raises(InputError, match=r"none\.jsonl.* does not exist"):
        load(one, str(tmp_path / "none.jsonl"))
    write(tmp_path / "two" / "train.jsonl", {"text": "b"}, {"text": None})
    joined = load(one, str(tmp_path / "two"))["train"]
    faults = ["is empty" if text is None else None for text in joined["text"]]
    with pytest.raises(DataError, match=r"train row 3: is empty\. Fix .*two/train\.jsonl:2, or"):
        drop_bad_rows(joined, faults, "train", skip=False)


def test_a_weight_is_the_share_of_an_epoch() -> None:
    """Of 10 and 100 rows at equal weights an epoch has 200: each row of the first comes ten times."""
    one, two = epoch_rows([10, 100], [1, 1], seed=0)
    assert Counter(one) == dict.fromkeys(range(10), 10)
    assert two == list(range(100))


def test_rows_that_are_left_over_are_drawn_by_the_seed() -> None:
    one, two, three = epoch_rows([10, 100, 5], [2, 8, 0.4], seed=3)
    assert (len(one), len(two), len(three)) == (25, 100, 5)
    assert set(Counter(one).values()) == {2, 3}
    assert epoch_rows([10, 100, 5], [2, 8, 0.4], seed=3)[0] == one
    assert epoch_rows([10, 100, 5], [2, 8, 0.4], seed=4)[0] != one
