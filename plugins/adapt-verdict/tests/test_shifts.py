"""Lengths, languages and classes at odds between splits."""

from __future__ import annotations

from typing import Any

import pytest

from adapt_core.plugin import Examples

from adapt_verdict.languages import UNKNOWN, language_of
from adapt_verdict.shifts import ShiftCheck, kolmogorov_smirnov

ENGLISH = (
    "The town lies on both sides of the river, and its oldest bridge was built by monks who had come from the north. "
    "In spring the water is high, so that boats can reach the mill, which has ground the flour of the valley for more "
    "than two hundred years. Visitors usually arrive by train, walk through the narrow streets to the market, and stay "
    "until the evening, when the restaurants along the quay open their doors. In winter there is little to be seen, "
    "although the castle above the town keeps its rooms warm for those who would rather read than wander about."
)
GERMAN = (
    "Die Stadt liegt an beiden Ufern des Flusses, und ihre älteste Brücke bauten Mönche, die aus dem Norden kamen. "
    "Im Frühling steht das Wasser hoch, sodass die Boote bis zur Mühle fahren können, die seit mehr als zweihundert "
    "Jahren das Mehl für das ganze Tal mahlt. Besucher kommen meistens mit dem Zug, gehen durch die engen Gassen zum "
    "Markt und bleiben bis zum Abend, wenn die Gasthäuser am Ufer öffnen. Im Winter gibt es wenig zu sehen, obwohl das "
    "Schloss über der Stadt seine Zimmer für alle heizt, die lieber lesen als spazieren gehen."
)


def messages(subject: Any, train: Examples, validation: Examples) -> list[str]:
    return [one.message for one in ShiftCheck().examine(subject(train=train, validation=validation))]


@pytest.mark.parametrize(
    ("text", "language"), [(ENGLISH, "English"), (GERMAN, "German"), ("ok", UNKNOWN), ("4711 " * 200, UNKNOWN)]
)
def test_the_language_of_a_text_is_told_where_it_can_be(text: str, language: str) -> None:
    assert language_of(text) == language


def test_another_language_is_told_with_its_share(subject: Any) -> None:
    mixed = Examples(texts=[GERMAN if number % 2 else ENGLISH for number in range(60)])
    told = messages(subject, Examples(texts=[ENGLISH] * 60), Examples(texts=[GERMAN] * 60))[-1]
    assert told.startswith(
        "languages of texts: validation and training are apart (distance 1.00): English 0 % (100 %), German 100 % (0 %)"
    )
    assert messages(subject, mixed, mixed) == []


def test_longer_texts_are_told_with_their_middle(subject: Any) -> None:
    (told,) = messages(subject, Examples(texts=["a b c"] * 40), Examples(texts=["a b c d e f"] * 40))
    assert told.startswith("lengths: texts of validation have 6 words in the middle, those of training 3")


def test_other_shares_of_classes_are_told(subject: Any) -> None:
    train = Examples(texts=["t"] * 40, labels=[("a",)] * 20 + [("b",)] * 20)
    validation = Examples(texts=["t"] * 40, labels=[("a",)] * 36 + [("b",)] * 4)
    (told,) = messages(subject, train, validation)
    assert told.startswith("classes: validation and training are apart (distance 0.40)")


def test_few_rows_say_nothing(subject: Any) -> None:
    assert ShiftCheck().examine(subject(train=Examples(texts=["a"] * 40), validation=Examples(texts=["b"] * 5))) is None


def test_the_distance_is_scipys() -> None:
    one, other = [1, 2, 2, 5, 9, 9, 11], [2, 3, 3, 9, 20]
    stats = pytest.importorskip("scipy.stats")
    assert kolmogorov_smirnov(one, other) == pytest.approx(stats.ks_2samp(one, other).statistic)
