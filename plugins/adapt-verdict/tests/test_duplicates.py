"""Rows that stand in training: as they are, nearly, with another label, and twice in training itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image, ImageEnhance

from adapt_core.plugin import Examples

from .conftest import texts_of
from adapt_verdict.duplicates import DuplicateCheck

TRAIN = [
    "The harbour was closed on Monday because of the storm, and no ship could leave the port before noon.",
    "A reader asks how deep the seeds of tulips must be laid into the soil before the first frost comes.",
    "Shares of the bank fell by four percent after the company had told its investors of a smaller profit.",
    "Der Zug nach Hamburg hat heute wegen einer Störung an der Strecke etwa zwanzig Minuten Verspätung.",
]


def found(subject: Any, **splits: Examples) -> list[Any]:
    return list(DuplicateCheck().examine(subject(**splits)) or [])


def test_white_space_case_and_width_do_not_tell_rows_apart(subject: Any) -> None:
    copies = [
        TRAIN[0].upper(),
        f"  {TRAIN[1].replace(' ', '   ')}\n",
        TRAIN[3].replace("ö", "o\u0308"),
        "Another text.",
    ]
    (finding,) = found(subject, train=Examples(texts=TRAIN), validation=Examples(texts=copies))
    assert finding.message.startswith("3 of 4 validation rows (75.0 %) stand in training: ")
    assert finding.warns
    assert [(row["example"], row["as_in"]["example"]) for row in finding.rows] == [(1, 1), (2, 2), (3, 4)]


@pytest.mark.parametrize(
    "edited",
    [
        TRAIN[0].replace("Monday because of", "Monday of because"),
        TRAIN[0].replace("storm, and no ship could", "storm - no ship could"),
        TRAIN[0].replace("harbour", "harbor").replace("closed", "closd"),
        "Update: " + TRAIN[0],
    ],
)
def test_an_edited_text_is_nearly_the_same(subject: Any, edited: str) -> None:
    (finding,) = found(subject, train=Examples(texts=TRAIN), validation=Examples(texts=[edited, "Another text."]))
    assert "1 of 2 validation rows (50.0 %) stand in training nearly as they are" in finding.message
    assert finding.rows[0]["as_in"]["text"] == TRAIN[0]
    assert 0.7 < finding.rows[0]["likeness"] < 1


def test_texts_of_one_kind_are_not_the_same(subject: Any) -> None:
    train, validation = Examples(texts=texts_of("ship", 200)), Examples(texts=texts_of("ship", 100, seed=1))
    assert found(subject, train=train, validation=validation) == []


def test_a_template_does_not_make_texts_alike(subject: Any) -> None:
    frame = "You are a helpful assistant who answers in one short sentence and never gives advice. Question: "
    train = Examples(texts=[frame + text for text in texts_of("garden", 100)])
    validation = Examples(texts=[frame + text for text in texts_of("money", 40)])
    assert found(subject, train=train, validation=validation) == []


def test_a_twin_with_another_label_is_counted(subject: Any) -> None:
    train = Examples(texts=TRAIN[:2], labels=[("a",), ("b",)])
    validation = Examples(texts=TRAIN[:2], labels=[("a",), ("a",)])
    (finding,) = found(subject, train=train, validation=validation)
    assert "1 of them have another label there" in finding.message
    assert finding.figures == {"exact": 2, "another_label": 1}


def test_labels_of_words_are_not_compared(subject: Any) -> None:
    words = TRAIN[0].split()
    tags = [["X"] * len(words), ["Y"] * len(words)]
    train, validation = (Examples(texts=[TRAIN[0]], parts=[words], labels=[own]) for own in tags)
    (finding,) = found(subject, train=train, validation=validation)
    assert "another label" not in finding.message


def test_rows_that_training_has_twice_warn_where_their_labels_differ(subject: Any) -> None:
    (finding,) = found(subject, train=Examples(texts=[TRAIN[0], TRAIN[1], TRAIN[0]], labels=[("a",), ("a",), ("b",)]))
    assert finding.warns
    assert finding.figures == {"twice": 1, "another_label": 1}
    (finding,) = found(subject, train=Examples(texts=[TRAIN[0], TRAIN[1], TRAIN[0]], labels=[("a",)] * 3))
    assert not finding.warns


def test_a_question_is_asked_again_only_of_the_same_context(subject: Any) -> None:
    question = "In which year was the first stone bridge over the river finished by the town?"
    train = Examples(texts=[question], contexts=["The bridge of Ulm is old."])
    other = Examples(
        texts=[question, question[:-1]], contexts=["The bridge of Bern is old.", "The bridge of Ulm is old."]
    )
    (finding,) = found(subject, train=train, validation=other)
    assert [row["example"] for row in finding.rows] == [2]


def _picture(seed: int) -> Image.Image:
    """Return a picture of smooth patches, as photographs have."""
    chance = numpy.random.default_rng(seed)
    small = Image.fromarray(chance.integers(0, 256, (6, 8, 3), dtype=numpy.uint8))
    return small.resize((160, 120), Image.Resampling.BICUBIC)


def test_images_saved_anew_are_nearly_the_same_and_others_are_not(subject: Any, tmp_path: Path) -> None:
    train = []
    for number in range(12):
        train.append(tmp_path / f"{number}.png")
        _picture(number).save(train[-1])
    copy, anew, other = tmp_path / "copy.png", tmp_path / "anew.jpg", tmp_path / "other.png"
    copy.write_bytes(train[3].read_bytes())
    cut = _picture(5).crop((3, 2, 157, 118)).resize((136, 102))
    ImageEnhance.Brightness(cut).enhance(1.1).save(anew, quality=60)
    _picture(99).save(other)
    exact, near = found(subject, train=Examples(images=train), validation=Examples(images=[copy, anew, other]))
    assert [row["image"] for row in exact.rows] == [str(copy)]
    assert [(row["image"], row["as_in"]["image"]) for row in near.rows] == [(str(anew), str(train[5]))]


def test_rows_that_are_neither_texts_nor_images_are_not_compared(subject: Any) -> None:
    assert DuplicateCheck().examine(subject(train=Examples(labels=[("a",)]))) is None
