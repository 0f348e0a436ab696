"""brat's standoff files: each line of a text is a row, with the entities of the .ann file beside it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from adapt_core import api
from adapt_core.contracts.format import Place
from adapt_core.errors import DataError
from adapt_core.hf.data.source import data_formats, load_raw
from adapt_core.testing import FormatContract

from .conftest import Keys, Losses, Put, place_of, read
from adapt_nlp.formats.brat import Brat
from adapt_nlp.formats.conll import Conll

TEXT = "Ada Lovelace met\r\nCharles Babbage.\r\n\r\nIn London and Paris.\n"
ANN = (
    "T1\tPER 0 12\tAda Lovelace\nT2\tPER 18 33\tCharles Babbage\nR1\tmet Arg1:T1 Arg2:T2\t\n"
    "T3\tLOC 41 47;52 57\tLondon Paris\nE1\tMeet:T1 A:T2\nA1\tSure T1\n#1\tAnnotatorNotes T1\tsee her page\n"
    "N1\tReference T1 Wikidata:Q7259\tAda\n*\tEquiv T1 T2\n"
)


def pair(put: Put, text: str = TEXT, ann: str = ANN, name: str = "doc") -> tuple[Path, Path]:
    return put(f"train/{name}.ann", ann), put(f"train/{name}.txt", text)


class TestBrat(FormatContract):
    name = "brat"

    @pytest.fixture
    def place(self, put: Put) -> Place:
        return place_of(*pair(put))


def test_lines_are_rows_and_other_annotations_are_counted(put: Put, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "adapt_nlp")
    files, reader = pair(put), Brat()
    assert reader.recognise(place_of(*files)) == "doc.ann: brat's annotations of doc.txt"
    assert Conll().recognise(place_of(files[1])) is None
    rows, again = (list(reader.read(place_of(*files))) for _ in range(2))
    assert rows == again
    assert [(row.file.name, row.line, row.fault, dict(row.values)) for row in rows] == [
        ("doc.txt", 1, None, {"tokens": ["Ada", "Lovelace", "met"], "ner_tags": ["B-PER", "I-PER", "O"]}),
        ("doc.txt", 2, None, {"tokens": ["Charles", "Babbage", "."], "ner_tags": ["B-PER", "I-PER", "O"]}),
        (
            "doc.txt",
            4,
            None,
            {"tokens": ["In", "London", "and", "Paris", "."], "ner_tags": ["O", "B-LOC", "O", "B-LOC", "O"]},
        ),
    ]
    assert caplog.text.count("6 lines of relations, events, attributes and notes are passed over; 1 entities of") == 1


@pytest.mark.parametrize(
    ("ann", "line", "said"),
    [
        ("T1\tPER 0 5\tAda L", 1, "the entity [0, 5, 'PER'] ends inside of the word 'Lovelace'"),
        ("T1\tPER 18 33\tharles Babbage.", 2, "doc.ann:1 says 'harles Babbage.', and the text has 'Charles Babbage'"),
        ("T1\tPER 13 25\tmet Charles", 1, "doc.ann:1: the entity goes over several lines, and each line is a row"),
        ("T1\tA 0 12\tAda Lovelace\nT2\tB 0 3\tAda", 1, "overlap"),
    ],
)
def test_an_entity_that_cannot_be_tags_is_a_fault_of_its_line(put: Put, ann: str, line: int, said: str) -> None:
    rows = read(Brat(), *pair(put, ann=ann))
    [bad] = [row for row in rows if row.fault is not None]
    assert (len(rows), bad.line) == (3, line)
    assert said in str(bad.fault)


@pytest.mark.parametrize(
    ("ann", "said"),
    [
        ("T1\tPER 0 12\tAda Lovelace\nT2 PER 3\n", r"doc\.ann:2: 'T2 PER 3' is no entity: it needs its name, a tab"),
        ("Ada\n", r"doc\.ann:1: 'Ada' is no annotation of brat"),
        ("T1\tPER 0 99\tAda\n", r"doc\.ann:1: the entity is at 0 99, and doc\.txt has 59 characters"),
    ],
)
def test_a_line_that_is_not_brat_s_is_told(put: Put, ann: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(Brat(), *pair(put, ann=ann))


def test_a_text_or_annotation_that_is_missing_is_told_or_no_claim(put: Put) -> None:
    alone = put("train/alone.ann", "T1\tPER 0 1\ta\n")
    assert Brat().recognise(place_of(alone)) is None
    with pytest.raises(DataError, match=r"alone\.ann: there is no alone\.txt beside it"):
        read(Brat(), alone)
    text = put("train/plain.txt", "Ada B-PER\n")
    assert Brat().recognise(place_of(text)) is None
    with pytest.raises(DataError, match=r"plain\.txt: there is no \.ann file"):
        read(Brat(), text)


def test_an_empty_text_has_no_entity(put: Put) -> None:
    files = pair(put, text="", ann="T1\tPER 0 0\t\n")
    with pytest.raises(DataError, match=r"doc\.ann:1: doc\.txt is empty, and has an entity"):
        read(Brat(), *files)


def test_a_folder_of_documents_is_the_training_split_also_with_many_that_have_no_entity(
    put: Put, tiny_encoder: Path
) -> None:
    for number in range(22):
        put(f"flat/a{number:02}.ann", "" if number < 21 else "T1\tPER 0 3\tAda\n")
        put(f"flat/a{number:02}.txt", "Ada met\nBo.\n")
    put("flat/README.txt", "How this was annotated.\n")
    folder = put("flat/annotation.conf", "[entities]\nPER\n").parent
    keys = {"TASK": "text_classification", "subtask": "ner", "MODEL_PATH": str(tiny_encoder), "OUTPUT_DIR": "run"}
    plan = api.check({**keys, "CUSTOM_DATASET_PATH": str(folder)})
    assert {split: one.choice.name for split, one in data_formats(plan).items()} == {"train": "brat"}
    rows = load_raw(plan.data, plan.formats)["train"]
    assert len(rows) == 44
    assert rows[42] == {"tokens": ["Ada", "met"], "ner_tags": ["B-PER", "O"]}


def test_a_run_has_the_losses_of_the_plain_form(put: Put, tiny_encoder: Path, losses: Losses) -> None:
    names = ("Alma", "Bo", "Carl", "Dina")
    for split, count in (("train", 16), ("dev", 4)):
        texts = [f"{names[n % 4]} and {names[(n + 1) % 4]} go" for n in range(count)]
        ann, start = [], 0
        for text in texts:
            ann.append(f"T{len(ann)}\tPER {start} {start + text.index(' ')}\t{text.split()[0]}\n")
            start += len(text) + 1
        put(f"brat/{split}/doc.ann", "".join(ann))
        put(f"brat/{split}/doc.txt", "\n".join(texts) + "\n")
        rows = [{"tokens": text.split(), "ner_tags": ["B-PER", "O", "O", "O"]} for text in texts]
        plain = put(f"plain/{split}.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows)).parent
    keys: Keys = {"TASK": "text_classification", "subtask": "ner", "MODEL_PATH": str(tiny_encoder)}
    folder = plain.parent / "brat"
    found = api.estimate(api.check({**keys, "CUSTOM_DATASET_PATH": str(folder), "OUTPUT_DIR": "run"}))
    assert (found.formats["train"]["format"], len(found.examples)) == ("brat", 3)
    assert losses(folder, keys) == losses(plain, keys)
