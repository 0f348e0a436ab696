"""The faults that benchmarks/verdict.py writes into data sets: as many as it says, where it says."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from adapt_core.plugin import Examples
from benchmarks.injected import edited, inject, photographed

TEXTS = [
    f"row {number} of {chr(97 + number % 26)} very plain texts that say nothing at all of any use"
    for number in range(100)
]


def test_as_many_rows_are_repeated_and_labels_wrong_as_is_told() -> None:
    train = Examples(texts=TEXTS, labels=[("a" if number % 2 else "b",) for number in range(100)])
    made = inject(train, Examples(texts=["x"], labels=[("a",)]), 0)
    assert (len(made.exact), len(made.near), len(made.wrong)) == (5, 5, 8)
    assert len(made.validation.texts) == len(made.validation.labels) == 11
    known = {text.casefold() for text in TEXTS}
    assert all(" ".join(made.validation.texts[row].casefold().split()) in known for row in made.exact)
    assert all(made.validation.texts[row].casefold() not in known for row in made.near)
    differ = {(row, None) for row in range(100) if train.labels[row][0] != made.train.labels[row][0]}
    assert differ == made.wrong


def test_words_get_wrong_tags_at_the_places_that_are_told() -> None:
    rows = [["a", "b", "c", "d", "e"]] * 20
    train = Examples(texts=["a b c d e"] * 20, parts=rows, labels=[["X", "Y", "Z", "X", "Y"]] * 20)
    made = inject(train, train, 1)
    differ = {
        (row, part) for row in range(20) for part in range(5) if made.train.labels[row][part] != train.labels[row][part]
    }
    assert differ == made.wrong
    assert len(differ) == 8


def test_an_edited_text_lost_a_word_and_has_two_in_another_order() -> None:
    text = "the quick brown fox jumps over the lazy dog at noon"
    found = edited(text, random.Random(0))
    assert found != text
    assert abs(len(found.split()) - len(text.split())) == 1
    assert found[0].isupper()
    assert edited("ok", random.Random(0)) == "Ok"


def test_an_image_is_smaller_and_brighter(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    import io

    image.new("RGB", (200, 100), (100, 100, 100)).save(tmp_path / "a.png")
    found = image.open(io.BytesIO(photographed(tmp_path / "a.png")))
    assert found.size == (170, 85)
    assert found.getpixel((20, 20))[0] == pytest.approx(110, abs=3)
