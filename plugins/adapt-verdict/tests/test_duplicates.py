"""Rows that stand in training: as they are, nearly, with another label, and twice in training itself."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image, ImageEnhance

from adapt_core.plugin import Examples

from .conftest import texts_of
from adapt_verdict import duplicates
from adapt_verdict.duplicates import DuplicateCheck
from adapt_verdict.normal_form import normal_form
from adapt_verdict.text_twins import PIECES, resemblance, sketch

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


def test_several_templates_do_not_make_texts_alike(subject: Any) -> None:
    frames = [" ".join(texts_of("ship", 4, seed=number)) for number in range(40)]
    train = Examples(texts=[f"{frames[row % 40]} {text}" for row, text in enumerate(texts_of("garden", 800))])
    told = texts_of("money", 40)
    edited = train.texts[7].replace("the", "a")
    validation = Examples(texts=[*(f"{frame} {text}" for frame, text in zip(frames, told, strict=True)), edited])
    (finding,) = found(subject, train=train, validation=validation)
    assert [row["example"] for row in finding.rows] == [41]


def test_texts_of_symbols_are_compared_as_they_are(subject: Any) -> None:
    train = Examples(texts=["!!!", "\U0001f600 \U0001f600", "ok \U0001f600", "", "...---..."])
    validation = Examples(texts=["???", "\U0001f621", "ok \U0001f621", "---...---"])
    assert found(subject, train=train, validation=validation) == []


def test_rows_without_text_are_exactly_the_same_and_not_nearly(subject: Any) -> None:
    (finding,) = found(subject, train=Examples(texts=["", "a b c d e"]), validation=Examples(texts=[" ", "f g h i j"]))
    assert finding.figures == {"exact": 1, "another_label": 0}


def test_of_long_texts_a_bounded_part_is_kept(subject: Any) -> None:
    chance = random.Random(2)
    words = ["".join(chance.choices("abcdefghijklmnop", k=6)) for _ in range(2_000)]
    texts = [" ".join(chance.choices(words, k=3_000)) for _ in range(12)]
    kept = sketch(normal_form(texts[0]))
    assert len(kept.runs.hashes) == len(kept.words.hashes) == PIECES
    edited = " ".join(word for row, word in enumerate(texts[3].split()) if row % 12)
    half = f"{texts[4][:9_000]} {texts[5][:9_000]}"
    (finding,) = found(subject, train=Examples(texts=texts), validation=Examples(texts=[edited, half]))
    assert [(row["example"], row["as_in"]["example"]) for row in finding.rows] == [(1, 4)]


def test_likeness_is_the_share_of_pieces_in_common() -> None:
    one, other = (sketch(text) for text in ("tulip rose rose soil", "tulip rose lawn soil"))
    assert resemblance(one.words, other.words) == pytest.approx(3 / 5)
    assert resemblance(one.words, one.words) == 1.0
    assert resemblance(sketch("").words, sketch("").words) is None


def test_a_sorted_split_is_compared_evenly_and_the_finding_says_how_much(
    subject: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "MOST", 10)
    train = Examples(texts=texts_of("ship", 40) + texts_of("money", 40))
    validation = Examples(texts=[f"Update: {text}" for text in train.texts])
    (finding,) = found(subject, train=train, validation=validation)
    assert finding.message.startswith("10 of 10 validation rows (100.0 %) stand in training nearly as they are")
    assert "(10 of 80 validation rows were compared with 10 of 80 training rows)" in finding.message
    assert {row["example"] > 40 for row in finding.rows} == {True, False}


def test_near_duplicates_keep_to_their_time(subject: Any) -> None:
    train, validation = Examples(texts=texts_of("ship", 40)), Examples(texts=texts_of("money", 40))
    (finding,) = DuplicateCheck().examine(subject(seconds=0.0, train=train, validation=validation))
    assert finding.message == (
        "no near duplicates were found; 1 of 40 validation rows were compared with 1 of 40 training rows."
    )
    assert not finding.warns


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


def test_duplicates_in_a_sample_are_told_as_such(subject: Any) -> None:
    train = Examples(texts=[TRAIN[0], TRAIN[0], TRAIN[1]], total=300_000)
    exact, twice = found(subject, train=train, validation=Examples(texts=TRAIN[:1], total=120_000))
    both = "(in a sample: 3 of 300,000 train rows and 1 of 120,000 validation rows)"
    assert exact.message.startswith(f"1 of 1 validation rows (100.0 %) stand in training {both}: ")
    assert twice.message == "1 of 3 training rows are there before (in a sample: 3 of 300,000 train rows)."
