"""SQuAD's own files: each question of each paragraph is a row, as in the plain form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapt_core import api
from adapt_core.contracts.format import PREDICT, Place
from adapt_core.errors import InputError
from adapt_core.testing import FormatContract

from .conftest import Keys, Losses, Put, place_of, read
from adapt_nlp.formats.squad import Squad

CONTEXT = "Ada Lovelace lived in London, and wrote about the engine of Charles Babbage."


def asked(number: int, **changes: Any) -> dict[str, Any]:
    name = ("Ada Lovelace", "London", "Charles Babbage")[number % 3]
    answer = {"text": name, "answer_start": CONTEXT.index(name)}
    return {"id": f"q{number}", "question": f"What is name {number} ?", "answers": [answer], **changes}


def impossible(number: int) -> dict[str, Any]:
    gone = {"answers": [], "plausible_answers": asked(number)["answers"], "is_impossible": True}
    return asked(number, **gone)


def articles(*questions: dict[str, Any], version: str = "v2.0") -> str:
    half = len(questions) // 2
    paragraphs = [{"qas": list(part), "context": CONTEXT} for part in (questions[:half], questions[half:])]
    return json.dumps({"version": version, "data": [{"title": "Ada", "paragraphs": paragraphs}]})


def plain(question: dict[str, Any]) -> dict[str, Any]:
    answers = question["answers"]
    return {
        "title": "Ada",
        "id": question["id"],
        "question": question["question"],
        "context": CONTEXT,
        "answers": {"text": [a["text"] for a in answers], "answer_start": [a["answer_start"] for a in answers]},
    }


class TestSquad(FormatContract):
    name = "squad"

    @pytest.fixture
    def place(self, put: Put) -> Place:
        return place_of(put("train-v2.0.json", articles(asked(0), asked(1), impossible(2))))


def test_every_question_is_a_row_and_impossible_ones_have_no_answer(put: Put) -> None:
    questions = [asked(0), asked(1), impossible(2)]
    rows = read(Squad(), put("train.json", articles(*questions)))
    assert [dict(row.values) for row in rows] == list(map(plain, questions))
    assert rows[2].values["answers"] == {"text": [], "answer_start": []}


def test_a_model_is_asked_about_questions_without_answers(put: Put) -> None:
    questions = [{"id": "a", "question": "Who?"}, asked(1, answers=[{"text": "x", "answer_start": 5}]), impossible(2)]
    rows = read(Squad(), put("asked.json", articles(*questions)), split=PREDICT)
    assert [row.fault for row in rows] == [None] * 3
    assert [row.values["question"] for row in rows] == [one["question"] for one in questions]


def test_a_first_article_longer_than_the_head_of_the_file_is_recognised(put: Put) -> None:
    file = put("train.json", articles(*[asked(n, question=f"{n} " * 400) for n in range(1500)]))
    assert file.stat().st_size > 1_000_000
    assert Squad().recognise(place_of(file)) == "train.json: articles with paragraphs, as SQuAD has them"
    rows = put("rows.json", json.dumps([plain(asked(0))]))
    assert Squad().recognise(place_of(rows)) is None


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (asked(1, answers=[{"text": "London", "answer_start": 3}]), "answer_start 3 does not match its text 'London': "
         "it begins at 22"),
        (asked(1, answers=[{"text": "Paris", "answer_start": 3}]), "the context does not hold it"),
        (asked(1, answers=[{"text": "London"}]), "an answer needs a text 'text' and a number 'answer_start'"),
        (asked(1, is_impossible=True), "it is impossible, and has an answer"),
        (asked(1, is_impossible="no"), "'is_impossible' must be true or false, not 'no'"),
        (asked(1, question=None), "it has no text 'question'"),
        ({"id": "q1", "question": "?"}, "it has no list 'answers'"),
    ],
)  # fmt: skip
def test_a_bad_question_is_told_with_its_article_and_paragraph(put: Put, question: Any, said: str) -> None:
    good, bad = read(Squad(), put("train.json", articles(asked(0), question)))
    assert good.fault is None
    assert bad.part == "article 1 (Ada), paragraph 2, question q1"
    assert said in str(bad.fault)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([{"title": "Ada"}], "article 1: it has no list 'paragraphs'"),
        ([{"paragraphs": [{"qas": []}]}], "article 1, paragraph 1: it needs a text 'context' and a list 'qas'"),
    ],
)
def test_articles_without_paragraphs_or_contexts_are_faults(put: Put, data: list[Any], said: str) -> None:
    [bad] = read(Squad(), put("train.json", json.dumps({"data": data})))
    assert said in f"{bad}: {bad.fault}"


def test_a_run_has_the_losses_of_the_plain_form(put: Put, tiny_encoder: Path, losses: Losses) -> None:
    questions = [asked(n) if n % 4 else impossible(n) for n in range(16)]
    folders = {}
    for split, part in (("train", questions), ("dev", questions[:4])):
        folders["squad"] = put(f"squad/{split}-v2.0.json", articles(*part)).parent
        rows = "".join(f"{json.dumps(plain(question))}\n" for question in part)
        folders["plain"] = put(f"plain/{split}.jsonl", rows).parent
    keys: Keys = {"TASK": "question_answering", "MODEL_PATH": str(tiny_encoder), "squad_v2_format": True}
    keys |= {"max_length": 64, "doc_stride": 16}
    found = api.estimate(api.check({**keys, "CUSTOM_DATASET_PATH": str(folders["squad"]), "OUTPUT_DIR": "run"}))
    assert {one["format"] for one in found.formats.values()} == {"squad"}
    assert len(found.examples) == 3
    assert losses(folders["squad"], keys) == losses(folders["plain"], keys)
    with pytest.raises(InputError, match="column 'answers' has no answer"):
        losses(folders["squad"], {**keys, "squad_v2_format": False, "OVERWRITE_OUTPUT_DIR": True})
