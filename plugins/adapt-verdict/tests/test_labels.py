"""Classes, wrong labels, and the number to beat."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import numpy
import pytest
from PIL import Image

from adapt_core.plugin import CheckSkipped, Examples

from .conftest import WORDS, labelled_texts
from adapt_verdict import features
from adapt_verdict.baseline import BaselineCheck
from adapt_verdict.classes import ClassCheck
from adapt_verdict.entities import entities, entity_scores
from adapt_verdict.label_errors import LabelErrorCheck


def flipped(examples: Examples, count: int) -> tuple[Examples, set[int]]:
    """Return examples with so many labels replaced by another topic, and their positions."""
    chance = random.Random(5)
    wrong = set(chance.sample(range(len(examples)), count))
    labels = [
        (chance.choice([topic for topic in WORDS if topic != names[0]]),) if row in wrong else names
        for row, names in enumerate(examples.labels)
    ]
    return attrs.evolve(examples, labels=labels), wrong


def test_wrong_labels_are_found(subject: Any) -> None:
    train, wrong = flipped(labelled_texts(80), 18)
    (finding,) = LabelErrorCheck().examine(subject(train=train, validation=labelled_texts(20, seed=1)))
    named = {row["example"] - 1 for row in finding.rows if row["split"] == "train"}
    assert len(named & wrong) >= 15
    assert len(named - wrong) <= 2
    row = finding.rows[0]
    assert row["label"] != row["probably"]
    assert row["probably"] in WORDS
    assert not finding.warns


def test_right_labels_are_not_doubted(subject: Any) -> None:
    found = LabelErrorCheck().examine(subject(train=labelled_texts(80)))
    assert found == [] or found[0].figures["suspects"] <= 2


def test_wrong_tags_of_words_are_found(subject: Any) -> None:
    chance = random.Random(1)
    tags = {word: topic for topic, words in WORDS.items() for word in words.split()}
    rows = [list(chance.choices(list(tags), k=8)) for _ in range(150)]
    labels = [[tags[word] for word in row] for row in rows]
    wrong = {(row, chance.randrange(8)) for row in range(0, 150, 3)}
    for row, part in wrong:
        labels[row][part] = chance.choice([topic for topic in WORDS if topic != labels[row][part]])
    train = Examples(texts=[" ".join(row) for row in rows], parts=rows, labels=labels)
    (finding,) = LabelErrorCheck().examine(subject(train=train))
    named = {(row["example"] - 1, row["part"] - 1) for row in finding.rows}
    assert len(named & wrong) >= 19
    assert "labels of words or boxes" in finding.message


def _picture(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    noise = numpy.random.default_rng(abs(hash(name)) % 1000).integers(-30, 30, (24, 24, 3))
    path = folder / f"{name}.png"
    Image.fromarray(numpy.clip(numpy.array(colour) + noise, 0, 255).astype(numpy.uint8)).save(path)
    return path


@pytest.mark.parametrize("seconds", [60.0, 0.001])
def test_images_are_judged_by_the_base_model_in_time_and_else_by_colours(
    subject: Any, tmp_path: Path, seconds: float
) -> None:
    images = [_picture(tmp_path, f"{n}", (200, 60, 60) if n % 2 else (60, 60, 200)) for n in range(60)]
    labels = [("red" if n % 2 else "blue",) for n in range(60)]
    labels[7] = ("blue",)
    asked: list[int] = []

    class Features:
        seconds_each: float | None = None

        def __call__(self, split: str, positions: Any) -> Any:
            asked.append(len(positions))
            self.seconds_each = 0.01
            return numpy.array([[number % 2, 1] for number in positions], dtype=numpy.float32)

    made = subject(train=Examples(images=images, labels=labels), features=Features(), seconds=seconds)
    (finding,) = LabelErrorCheck().examine(made)
    assert [row["image"] for row in finding.rows] == [str(images[7])]
    assert ("by features of the base model" in finding.message) is (seconds > 1)
    assert ("by statistics of colours" in finding.message) is (seconds < 1)
    assert asked == ([32, 60] if seconds > 1 else [32]), "a few first, to see how long they take"


def test_wrong_classes_of_boxes_are_found(subject: Any, tmp_path: Path) -> None:
    images, boxes, labels = [], [], []
    for number in range(40):
        pixels = numpy.full((60, 90, 3), 255, dtype=numpy.uint8)
        pixels[5:25, 5:25] = (200, 30, 30)
        pixels[30:50, 50:80] = (30, 30, 200)
        images.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(images[-1])
        boxes.append([[5.0, 5.0, 20.0, 20.0], [50.0, 30.0, 30.0, 20.0]])
        labels.append(["cell", "plate"] if number != 9 else ["cell", "cell"])
    (finding,) = LabelErrorCheck().examine(subject(train=Examples(images=images, labels=labels, parts=boxes)))
    assert [(row["image"], row["part"], row["label"], row["probably"]) for row in finding.rows] == [
        (str(images[9]), 2, "cell", "plate")
    ]


def test_rows_of_several_labels_or_none_are_not_judged(subject: Any) -> None:
    several = Examples(texts=["a", "b"], labels=[("x", "y"), ("x",)])
    assert LabelErrorCheck().examine(subject(train=several)) is None
    assert BaselineCheck().examine(subject(train=several, validation=several)) is None
    assert LabelErrorCheck().examine(subject(train=Examples(texts=["a", "b"]))) is None


def test_the_number_to_beat_is_that_of_the_majority_and_of_logistic_regression(subject: Any) -> None:
    train, validation = labelled_texts(60), labelled_texts(20, seed=1)
    majority, regression = BaselineCheck().examine(subject(train=train, validation=validation))
    assert majority.to_beat["accuracy"] == pytest.approx(1 / 3)
    assert majority.to_beat["macro_f1"] == pytest.approx(1 / 6)
    assert regression.to_beat["accuracy"] > 0.95
    assert regression.message.startswith("to beat: logistic regression on TF-IDF: accuracy ")
    assert regression.message.endswith(" on validation.")


def test_only_metrics_of_the_task_are_to_be_beaten(subject: Any) -> None:
    made = attrs.evolve(
        subject(train=labelled_texts(20), validation=labelled_texts(9, seed=1)), metrics={"f2": "higher"}
    )
    assert all(one.to_beat == {} for one in BaselineCheck().examine(made))


def in_order_of_classes(count: int, seed: int = 0) -> Examples:
    """Return so many texts of each topic with it as their label, one topic after the other."""
    mixed = labelled_texts(count, seed)
    order = sorted(range(len(mixed)), key=lambda row: mixed.labels[row])
    return Examples(texts=[mixed.texts[row] for row in order], labels=[mixed.labels[row] for row in order])


def test_sorted_splits_are_looked_at_evenly(subject: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "MOST_EXAMPLES", 60)
    made = subject(train=in_order_of_classes(60), validation=in_order_of_classes(30, seed=1))
    majority, regression = BaselineCheck().examine(made)
    assert majority.to_beat["accuracy"] == pytest.approx(1 / 3)
    assert regression.to_beat["accuracy"] > 0.8
    assert "(120 of 270 examples were looked at)" in regression.message
    found = features.labelled(made, ["train", "validation"])
    assert found is not None
    assert Counter(found.labels) == dict.fromkeys(WORDS, 40)


def test_sorted_words_are_looked_at_evenly(subject: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "MOST_PARTS", 60)
    rows = in_order_of_classes(20)
    parts = [text.split() for text in rows.texts]
    train = attrs.evolve(rows, parts=parts, labels=[names * 12 for names in rows.labels])
    found = features.labelled(subject(train=train), ["train"])
    assert found is not None
    assert set(found.labels) == set(WORDS)
    assert len(found) <= 60
    assert len(found) + found.left_out == 720
    assert found.extent == f" ({len(found)} of 720 words or boxes were looked at)"


def test_the_words_of_a_group_stay_together(subject: Any) -> None:
    train = Examples(
        texts=["a b", "c", "d e", "f"],
        parts=[["a", "b"], ["c"], ["d", "e"], ["f"]],
        labels=[["x", "y"], ["x"], ["y", "y"], ["x"]],
        groups=["ann", "ben", "ann", None],
    )
    found = features.labelled(subject(train=train), ["train"])
    assert found is not None
    assert found.groups is not None
    first = found.groups[0]
    assert [group == first for group in found.groups] == [True, True, False, True, True, False]
    assert found.groups[2] != found.groups[5]


def test_groups_of_training_count_where_validation_has_none(subject: Any) -> None:
    train, validation = labelled_texts(10), labelled_texts(4, seed=1)
    train = attrs.evolve(train, groups=["ann", "ben", "cat"] * 10)
    found = features.labelled(subject(train=train, validation=validation), ["train", "validation"])
    assert found is not None
    assert found.groups == ["ann", "ben", "cat"] * 10 + [None] * 12


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["", "  "] * 6, "the texts are empty: there is nothing to tell classes by"),
        (
            [f"w{number}" for number in range(1_002)],
            "no word stands in two of the texts: there is nothing to tell classes by",
        ),
    ],
)
def test_texts_without_words_in_common_are_left_out_with_a_word(subject: Any, texts: list[str], why: str) -> None:
    train = Examples(texts=texts, labels=[("a",), ("b",)] * (len(texts) // 2))
    for check in (BaselineCheck(), LabelErrorCheck()):
        with pytest.raises(CheckSkipped) as left_out:
            check.examine(subject(train=train, validation=attrs.evolve(train, texts=[""] * len(texts))))
        assert str(left_out.value) == why


def test_one_class_is_left_out_with_a_word(subject: Any) -> None:
    train = Examples(texts=["a tulip", "a rose"] * 6, labels=[("garden",)] * 12)
    with pytest.raises(CheckSkipped, match="all training examples are of the class garden"):
        BaselineCheck().examine(subject(train=train, validation=train))
    with pytest.raises(CheckSkipped, match="fewer than two classes have 5 examples"):
        LabelErrorCheck().examine(subject(train=train))


def test_entities_are_scored_as_seqeval_does() -> None:
    truth = ["B-PER", "I-PER", "O", "B-LOC", "O", "B-LOC", "B-LOC", "I-LOC"]
    found = ["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "B-LOC", "I-LOC", "I-LOC"]
    assert list(entities(truth[:5])) == [("PER", 0, 2), ("LOC", 3, 4)]
    scores = entity_scores(truth, found, [5, 8])
    assert scores == {"f1": pytest.approx(2 / 7), "precision": pytest.approx(1 / 3), "recall": pytest.approx(1 / 4)}
    seqeval = pytest.importorskip("seqeval.metrics", reason="needs seqeval, the second opinion")
    cut = [[tags[:5], tags[5:]] for tags in (truth, found)]
    assert scores["f1"] == pytest.approx(seqeval.f1_score(*cut))


def test_rare_and_one_sided_classes_are_told(subject: Any) -> None:
    train = Examples(texts=["t"] * 16, labels=[("ham",)] * 12 + [("spam",)] * 3 + [("ad",)])
    validation = Examples(texts=["v"] * 3, labels=[("ham",), ("spam",), ("news",)])
    rare, only, absent = ClassCheck().examine(subject(train=train, validation=validation))
    assert rare.message == "2 of 3 classes have fewer than 10 training examples: ad (1), spam (3)."
    assert only.message == "only validation has 1 classes: news. No model can learn them."
    assert [row["example"] for row in only.rows] == [3]
    assert absent.message == "validation has no example of 1 of 3 classes: ad."


def test_what_a_sample_lacks_the_rest_may_have(subject: Any) -> None:
    train = Examples(texts=["t"] * 13, labels=[("ham",)] * 12 + [("spam",)], total=300_000)
    validation = Examples(texts=["v"], labels=[("news",)], total=200_000)
    rare, only, absent = ClassCheck().examine(subject(train=train, validation=validation))
    of_train = "(in a sample: 13 of 300,000 train rows)"
    assert rare.message == f"1 of 2 classes have fewer than 10 training examples {of_train}: spam (1)."
    assert only.message == f"only validation has 1 classes {of_train}: news. The rest of training may have them."
    assert not rare.warns
    assert not only.warns
    assert "validation has no example of 2 of 2 classes (in a sample: 1 of 200,000 validation rows): " in absent.message


def test_examples_that_a_sample_leaves_out_count_as_not_looked_at(subject: Any) -> None:
    train = attrs.evolve(labelled_texts(20), total=100_000)
    _, regression = BaselineCheck().examine(subject(train=train, validation=labelled_texts(5, seed=1)))
    assert "(75 of 100,015 examples were looked at)" in regression.message
