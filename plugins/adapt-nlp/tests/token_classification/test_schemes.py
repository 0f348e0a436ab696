"""Entities are found whatever way tags spell them, alike in the metric and in `adapt predict`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core

from adapt_nlp.token_classification.metrics import entity_scores, entity_table
from adapt_nlp.token_classification.predict import find_entities
from adapt_nlp.token_classification.schemes import as_entity_tags, warn_of_runs

WORDS = ["Ada", "Lovelace", "Oslo", "in", "Rome"]
FOUND = [("PER", "Ada Lovelace"), ("LOC", "Oslo"), ("LOC", "Rome")]


@pytest.mark.parametrize(
    ("tags", "known"),
    [
        (["B-PER", "I-PER", "B-LOC", "O", "B-LOC"], {"I-LOC"}),
        (["I-PER", "I-PER", "I-LOC", "O", "I-LOC"], set()),
        (["B_PER", "I_PER", "B_LOC", "O", "B_LOC"], {"I_LOC"}),
        (["B-PER", "L-PER", "U-LOC", "O", "U-LOC"], {"I-PER"}),
        (["B-PER", "E-PER", "S-LOC", "O", "S-LOC"], {"I-PER", "B-LOC"}),
        (["PER-B", "PER-I", "LOC-B", "O", "LOC-B"], {"LOC-I"}),
        (["PER", "PER", "LOC", "O", "LOC"], {"ORG"}),
        (["B-PER", "I-PER", "LOC", "O", "LOC"], set()),
        (["B-PER", "M-PER", "B-LOC", "O", "B-LOC"], {"E-PER", "S-LOC"}),
    ],
)
def test_every_scheme_spells_the_same_entities(tags: list[str], known: set[str]) -> None:
    entity_tags = as_entity_tags({*tags, *known})
    assert [(found["type"], found["text"]) for found in find_entities(WORDS, tags, entity_tags)] == FOUND


@pytest.mark.parametrize(
    ("tags", "known"),
    [
        (["b-per", "i-per", "b-loc", "o", "b-loc"], set()),
        (["b_per", "i_per", "b_loc", "O", "b_loc"], {"i_loc"}),
        (["per-b", "per-i", "loc-b", "o", "loc-b"], set()),
    ],
)
def test_small_letters_are_places_where_every_tag_has_one(
    tags: list[str], known: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    entity_tags = as_entity_tags({*tags, *known})
    found = find_entities(WORDS, tags, entity_tags)
    assert [(entity["type"].upper(), entity["text"]) for entity in found] == FOUND
    warn_of_runs(entity_tags)
    assert not caplog.records


def test_kinds_of_one_word_are_types_of_their_own() -> None:
    names = ["hepatitis-b", "hepatitis-e", "vitamin-s", "o"]
    assert as_entity_tags(names) == {**{name: f"I-{name}" for name in names[:3]}, "o": "O"}


def test_small_letters_of_a_type_are_no_places() -> None:
    names = as_entity_tags(["e-mail", "phone", "o"])
    found = find_entities(["a@b", "12", "x"], ["e-mail", "phone", "o"], names)
    assert [entity["type"] for entity in found] == ["e-mail", "phone"]


def test_two_single_entities_side_by_side_stay_two() -> None:
    names = as_entity_tags(["U-LOC", "B-LOC", "L-LOC", "O"])
    assert len(find_entities(["Oslo", "Rome"], ["U-LOC", "U-LOC"], names)) == 2


def test_a_type_is_not_read_as_a_place() -> None:
    names = as_entity_tags(["E-mail", "Phone", "O"])
    found = find_entities(["a@b", "12", "x"], ["E-mail", "Phone", "O"], names)
    assert [entity["type"] for entity in found] == ["E-mail", "Phone"]


def test_places_without_types_are_one_type() -> None:
    names = as_entity_tags(["B", "I", "O"])
    assert [found["text"] for found in find_entities(["a", "b", "c"], ["B", "I", "B"], names)] == ["a b", "c"]


def test_a_missed_type_without_prefix_counts() -> None:
    """`ORG` and `PER` would be R and G of one type for seqeval, which takes the first letter for the place."""
    names = as_entity_tags(["PER", "LOC", "ORG", "O"])
    truth, predicted = (
        [[names[tag] for tag in row] for row in rows]
        for rows in ([["PER", "O", "ORG", "O", "LOC"]], [["PER", "O", "O", "O", "LOC"]])
    )
    assert entity_scores(truth, predicted)["recall"] == pytest.approx(2 / 3)
    table = entity_table(truth, predicted)
    assert table.labels == ("LOC", "ORG", "PER")
    assert list(table.figures["recall"]) == [1.0, 0.0, 1.0]


def test_what_cannot_be_told_apart_is_said(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_runs(as_entity_tags(["B-PER", "I-PER", "O"]))
    assert not caplog.records
    warn_of_runs(as_entity_tags(["PER", "LOC"]))
    assert "tags that mark no beginning (PER, LOC)" in caplog.text
    assert "no tag is 'O'" in caplog.text


def test_a_run_scores_and_predicts_tags_without_prefix(
    run: Callable[..., Any], tiny_encoder: Path, tmp_path: Path
) -> None:
    tags = {"red": "COL", "green": "COL", "deep": "COL", "dog": "ANI", "cat": "ANI"}
    words = ["the", "deep", "red", "dog", "sees", "a", "green", "cat"]
    rows = [
        {"tokens": words[n:] + words[:n], "ner_tags": [tags.get(w, "O") for w in words[n:] + words[:n]]}
        for n in range(8)
    ]
    for split, times in (("train", 8), ("validation", 1)):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * times))
    result = run(subtask="ner", CUSTOM_DATASET_PATH=str(tmp_path), MODEL_PATH=str(tiny_encoder), EPOCHS=6, BATCH_SIZE=8)
    assert result.metrics["after"]["f1"] > 0.9
    (found,) = adapt_core.predict(result.output_dir, ["the deep red dog"])
    assert [(e["type"], e["text"]) for e in found["entities"]] == [("COL", "deep red"), ("ANI", "dog")]
    assert found["tags"] == ["O", "COL", "COL", "ANI"]
