"""Texts with spans of characters: spaCy's, prodigy's, doccano's and Label Studio's files give words and tags."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapt_core import api
from adapt_core.contracts.format import PREDICT, Place
from adapt_core.distributed.world import World
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.source import data_formats
from adapt_core.testing import FormatContract

from .conftest import Keys, Losses, Put, place_of, read
from adapt_nlp.formats.doccano import Doccano
from adapt_nlp.formats.label_studio_text import LabelStudioText
from adapt_nlp.formats.spacy import Spacy
from adapt_nlp.formats.spans import Span, SpanError, tags_of, words_of
from adapt_nlp.token_classification.task import TokenClassification

Spans = Sequence[tuple[int, int, str]]
TEXT = "Alma Berg lives in Oslo."
SPANS = [(0, 9, "PER"), (19, 23, "LOC")]
ROW = {"tokens": ["Alma", "Berg", "lives", "in", "Oslo", "."], "ner_tags": ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]}


def regions(text: str, spans: Spans) -> list[dict[str, Any]]:
    return [{"start": s, "end": e, "text": text[s:e], "labels": [label]} for s, e, label in spans]


def tokens(text: str) -> list[dict[str, Any]]:
    return [{"text": text[s:e], "start": s, "end": e, "id": n} for n, (s, e) in enumerate(words_of(text))]


def task(text: str, spans: Spans) -> dict[str, Any]:
    results = [
        {"value": one, "id": f"r{n}", "from_name": "label", "to_name": "text", "type": "labels"}
        for n, one in enumerate(regions(text, spans))
    ]
    annotation = {"id": 4, "completed_by": 1, "result": results, "was_cancelled": False, "ground_truth": False}
    return {"id": 7, "annotations": [annotation], "predictions": [], "data": {"text": text}, "meta": {}, "project": 1}


FORMS: dict[str, tuple[Any, str, Callable[[str, Spans], Any]]] = {
    "spacy": (Spacy, ".jsonl", lambda text, spans: {"text": text, "entities": [list(one) for one in spans]}),
    "tuples": (Spacy, ".json", lambda text, spans: [text, {"entities": [list(one) for one in spans]}]),
    "prodigy": (
        Spacy,
        ".jsonl",
        lambda text, spans: {
            "text": text,
            "_input_hash": 1,
            "tokens": tokens(text),
            "spans": [{"start": s, "end": e, "label": label} for s, e, label in spans],
            "answer": "accept",
        },
    ),
    "doccano": (Doccano, ".jsonl", lambda text, spans: {"id": 1, "text": text, "label": [list(one) for one in spans]}),
    "doccano before": (Doccano, ".jsonl", lambda text, spans: {"data": text, "labels": [list(one) for one in spans]}),
    "doccano relations": (
        Doccano,
        ".jsonl",
        lambda text, spans: {
            "text": text,
            "entities": [{"id": 3, "label": label, "start_offset": s, "end_offset": e} for s, e, label in spans],
            "relations": [],
        },
    ),
    "label studio": (LabelStudioText, ".json", task),
    "label studio min": (
        LabelStudioText,
        ".json",
        lambda text, spans: {"id": 7, "text": text, "ner": regions(text, spans), "annotator": 1, "lead_time": 2.5},
    ),
}
"""Name -> the format, the suffix of its files, (text, spans) -> the row as the tool writes it."""


def written(rows: Sequence[Any], suffix: str) -> str:
    return json.dumps(rows, indent=2) if suffix == ".json" else "".join(f"{json.dumps(row)}\n" for row in rows)


def pair(put: Put, form: str, name: str = "train") -> tuple[Any, Path]:
    reader, suffix, row = FORMS[form]
    rows = [row(TEXT, SPANS), row("No one.", []), row("Bo in Rome", [(0, 2, "PER"), (6, 10, "LOC")])]
    return reader(), put(f"{form}/{name}{suffix}", written(rows, suffix))


class Contract(FormatContract):
    form = ""

    @pytest.fixture
    def place(self, put: Put) -> Place:
        return place_of(pair(put, self.form or self.name)[1])


class TestSpacy(Contract):
    name = "spacy"


class TestProdigy(Contract):
    name, form = "prodigy", "prodigy"


class TestDoccano(Contract):
    name = "doccano"


class TestLabelStudio(Contract):
    name, form = "label_studio_text", "label studio"


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_words_and_tags_and_no_other_format_claims_it(put: Put, form: str) -> None:
    reader, file = pair(put, form)
    found = read(reader, file)
    assert [row.fault for row in found] == [None] * 3
    assert [dict(row.values) for row in found] == [
        ROW,
        {"tokens": ["No", "one", "."], "ner_tags": ["O", "O", "O"]},
        {"tokens": ["Bo", "in", "Rome"], "ner_tags": ["B-PER", "O", "B-LOC"]},
    ]
    assert [row.line for row in found] == ([1, 2, 3] if file.suffix == ".jsonl" else [None] * 3)
    claims = [one for one in (Spacy, Doccano, LabelStudioText) if one().recognise(place_of(file))]
    assert claims == [type(reader)]


@pytest.mark.parametrize(
    "rows",
    [
        [{"text": "win", "label": ["spam"]}, {"text": "hi", "label": []}],
        [{"text": "win", "labels": ["spam", "ham"]}],
        [{"text": "win", "label": "spam"}],
        [{"text": "win", "label": [1, 2, 3]}],
        [{"tokens": ["Ada"], "ner_tags": ["B-PER"]}],
        [{"text": "a", "meta": [{"labels": ["x"]}]}],
        [{"messages": [{"role": "user", "content": "hi"}]}],
        [{"text": "Ada", "tokens": ["Ada"], "ner_tags": ["O"], "entities": [[0, 3, "PER"]]}],
        [{"text": "Ada", "tokens": ["Ada"], "ner_tags": [0], "entities": []}],
        [{"text": "Ada", "tokens": ["Ada"], "spans": [{"start": 0, "end": 3, "label": "PER"}]}],
        [{"text": "Ada", "tokens": ["Ada"], "label": [[0, 3, "PER"]]}],
        [{"text": "Ada", "words": ["Ada"], "ner_tags": ["O"], "l": regions("Ada", [(0, 3, "PER")])}],
        [{"text": "Ada", "entities": []}, {"text": "Bo", "entities": []}],
    ],
)
def test_plain_tables_are_not_claimed(put: Put, rows: list[Any]) -> None:
    place = place_of(put("train.jsonl", written(rows, ".jsonl")))
    assert [one().recognise(place) for one in (Spacy, Doccano, LabelStudioText)] == [None] * 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't, café!", ["don", "'", "t", ",", "café", "!"]),
        ("cafe\u0301 नमस्ते a\u200db", ["cafe\u0301", "नमस्ते", "a\u200db"]),
        ("我在北京。Hi", ["我", "在", "北", "京", "。", "Hi"]),
        ("\ufeffx_1 3.5\u00a0km\r\n", ["x_1", "3", ".", "5", "km"]),
    ],
)
def test_words_are_runs_of_letters_and_single_signs(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in words_of(text)] == words


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ([(0, 4, "A"), (2, 9, "B")], r"\[0, 4, 'A'\] and \[2, 9, 'B'\] overlap, and a word has one tag"),
        ([(0, 9, "A"), (5, 9, "B")], r"\[0, 9, 'A'\] and \[5, 9, 'B'\] overlap"),
        ([(0, 3, "A")], r"\[0, 3, 'A'\] ends inside of the word 'Alma', which is at 0 to 4"),
        ([(1, 9, "A")], r"\[1, 9, 'A'\] begins inside of the word 'Alma'"),
        ([(4, 5, "A")], r"\[4, 5, 'A'\] is white space alone"),
        ([(4, 4, "A")], r"\[4, 4, 'A'\] is empty"),
        ([(19, 40, "A")], r"\[19, 40, 'A'\] is not within the text, which has 24 characters"),
        ([(-1, 4, "A")], r"\[-1, 4, 'A'\] is not within the text"),
        ([(9, 4, "A")], r"\[9, 4, 'A'\] is not within the text"),
    ],
)
def test_spans_that_cannot_be_tags_have_each_a_message_of_its_own(spans: Spans, said: str) -> None:
    with pytest.raises(SpanError, match=said):
        tags_of(TEXT, [Span(*one) for one in spans], words_of(TEXT))


def test_white_space_at_the_ends_of_a_span_and_a_repeated_span_do_no_harm() -> None:
    spans = [Span(0, 10, "PER"), Span(18, 23, "LOC"), Span(0, 10, "PER")]
    assert tags_of(TEXT, spans, words_of(TEXT)) == ROW["ner_tags"]
    assert tags_of("a b", [Span(0, 1, "X"), Span(0, 2, "X")], [(0, 1), (2, 3)]) == ["B-X", "O"]
    assert tags_of("a b", [Span(0, 1, "X"), Span(2, 3, "X")], [(0, 1), (2, 3)]) == ["B-X", "B-X"]


@pytest.mark.parametrize(
    ("reader", "row", "said"),
    [
        (Spacy, {"text": 5, "entities": []}, "'text' must be a text, not int"),
        (Spacy, {"text": "a", "entities": [[0, 1]]}, r"[0, 1] is no entity: it needs a start, an end and a label"),
        (Spacy, {"text": "a", "entities": {"0": 1}}, "'entities' must be a list of entities, not dict"),
        (Spacy, {"text": " ", "entities": []}, "the text has no word"),
        (Spacy, ["a"], 'it must be {"text": ..., "entities": [[start, end, label]]}'),
        (Spacy, {"text": "ab", "spans": [], "tokens": [{"start": 1, "end": 5}]}, "is not at its place in the text"),
        (Doccano, {"text": "a", "label": ["spam"]}, "spam is no entity"),
        (Doccano, {"text": "a", "entities": [{"start_offset": "0"}]}, "is no entity"),
        (LabelStudioText, task("ab", []) | {"data": {"x": 1}}, "'data' of a task must have its 'text'"),
        (
            LabelStudioText,
            task("ab c", [])
            | {"annotations": [{"result": [{"value": {"start": 0, "end": 2, "text": "b", "labels": ["A"]}}]}]},
            "says 'b', and the text has 'ab' there",
        ),
        (LabelStudioText, {"a": "x", "b": "y", "l": regions("x", [(0, 1, "A")])}, "a task needs one text"),
    ],
)
def test_a_row_that_is_not_as_the_tool_writes_it_is_a_fault_with_its_line(
    put: Put, reader: Any, row: Any, said: str
) -> None:
    [found] = read(reader(), put("train.jsonl", written([row], ".jsonl")))
    assert found.line == 1
    assert said in str(found.fault)


def test_rejected_and_unlabelled_rows_are_passed_over_and_counted(put: Put, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "adapt_nlp")
    row = FORMS["prodigy"][2]
    rows = [row(TEXT, SPANS), row("No.", []) | {"answer": "reject"}]
    reader, file = Spacy(), put("train.jsonl", written(rows, ".jsonl"))
    assert [len(read(reader, file)) for _ in range(2)] == [1, 1]
    assert caplog.text.count("train.jsonl: 1 rows are passed over, for they are answered with 'reject'") == 1
    open_task = task("No.", []) | {"annotations": []}
    cancelled = task(TEXT, [])["annotations"][0] | {"was_cancelled": True}
    second = task(TEXT, SPANS)
    second["annotations"].insert(0, cancelled)
    [found] = read(LabelStudioText(), put("tasks.json", written([open_task, second], ".json")))
    assert found.values == ROW
    assert "tasks.json: 1 rows are passed over, for they are tasks without an annotation" in caplog.text


def test_of_several_annotations_the_ground_truth_is_taken_else_the_newest(
    put: Put, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "adapt_nlp")

    def annotated(*given: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        every = [task("Bo", [(0, 2, label)])["annotations"][0] | more for label, more in given]
        return task("Bo", []) | {"annotations": every}

    new, old = ({"updated_at": f"2024-0{month}-01T10:00:00.5Z"} for month in (3, 2))
    tasks = [
        annotated(("A", {}), ("B", {"ground_truth": True}), ("C", {})),
        annotated(("A", old), ("B", new), ("C", old)),
        annotated(("A", {}), ("B", {})),
        annotated(("A", old | {"ground_truth": True}), ("B", new | {"was_cancelled": True}), ("C", new)),
    ]
    found = read(LabelStudioText(), put("tasks.json", written(tasks, ".json")))
    assert [row.values["ner_tags"] for row in found] == [["B-B"], ["B-B"], ["B-B"], ["B-A"]]
    small = [
        {"id": number, "text": "Bo", "ner": regions("Bo", [(0, 2, label)]), "annotator": who, **when}
        for number, label, who, when in ((1, "A", 1, new), (1, "B", 2, old), (2, "A", 1, {}), (2, "B", 2, {}))
    ]
    found = read(LabelStudioText(), put("min.json", written(small, ".json")))
    assert [row.values["ner_tags"] for row in found] == [["B-A"], ["B-B"]]
    assert "min.json: 2 rows are passed over, for they are further annotations of a task" in caplog.text


def test_a_model_is_asked_about_texts_without_spans_and_each_has_its_row(put: Put) -> None:
    files: dict[type[Any], list[Any]] = {
        Spacy: [
            [{"text": TEXT}, {"text": "No."}],
            [{"text": TEXT, "entities": []}, {"text": "No.", "entities": [[0, 99, "PER"]]}],
            [{"text": TEXT, "tokens": tokens(TEXT)}, {"text": "No.", "answer": "reject", "spans": []}],
        ],
        Doccano: [[{"id": 1, "text": TEXT, "label": []}, {"id": 2, "text": "No.", "label": [[0, 1, "X"]]}]],
        LabelStudioText: [
            [{"id": 1, "data": {"text": TEXT}}, task("No.", []) | {"annotations": []}],
            [{"id": 1, "text": TEXT, "annotator": 1}, {"id": 1, "text": "No.", "annotator": 2}],
        ],
    }
    for reader, every in files.items():
        for number, rows in enumerate(every):
            file = put(f"{reader.__name__}{number}.jsonl", written(rows, ".jsonl"))
            place = place_of(file, split=PREDICT)
            assert [one for one in (Spacy, Doccano, LabelStudioText) if one().recognise(place)] == [reader]
            found = read(reader(), file, split=PREDICT)
            assert [row.values for row in found] == [{"tokens": ROW["tokens"]}, {"tokens": ["No", "."]}]
    table = put("words.jsonl", written([{"text": "a b", "tokens": ["a", "b"]}], ".jsonl"))
    assert Spacy().recognise(place_of(table, split=PREDICT)) is None


def test_texts_are_split_at_prediction_as_the_training_data_was(
    keys: Keys, folders: dict[str, Path], tmp_path: Path
) -> None:
    said = {}
    for form in ("plain", "spacy"):
        plan = api.check({**keys, "CUSTOM_DATASET_PATH": str(folders[form]), "OUTPUT_DIR": str(tmp_path / "run")})
        learned = TokenClassification(plan)
        model: Any = learned.load_model(learned.load_data(), None, World()).model
        found = learned.predict(model, tmp_path / "none", ["Gil sees Rome.", "我在北京", ["a.b"]])
        said[form] = [one["tokens"] for one in found]
    assert said["plain"] == [["Gil", "sees", "Rome."], ["我在北京"], ["a.b"]]
    assert said["spacy"] == [["Gil", "sees", "Rome", "."], ["我", "在", "北", "京"], ["a.b"]]


def test_a_row_of_prodigy_without_spans_keeps_its_tokens(put: Put) -> None:
    rows = [FORMS["prodigy"][2](TEXT, SPANS), {"text": "a.b", "tokens": [{"start": 0, "end": 3}]}]
    assert read(Spacy(), put("train.jsonl", written(rows, ".jsonl")))[1].values["tokens"] == ["a.b"]


def test_a_file_without_rows_is_told(put: Put) -> None:
    with pytest.raises(DataError, match=r"train\.json has no row"):
        read(Spacy(), put("train.json", "[]"))


NAMES = ("Alma", "Bo", "Carl", "Dina", "Edo", "Fay", "Gil", "Hana")
TEXTS = [f"{name} sees {other} in Rome." for name in NAMES for other in NAMES if name != other][:16]


def spans_of(text: str) -> Spans:
    words = text.removesuffix(".").split()
    return [(text.rindex(w) if n else 0, (text.rindex(w) if n else 0) + len(w), "PER") for n, w in enumerate(words[:3])
            if n != 1]  # fmt: skip


@pytest.fixture
def keys(tiny_encoder: Path) -> Keys:
    return {"TASK": "text_classification", "subtask": "ner", "MODEL_PATH": str(tiny_encoder)}


@pytest.fixture
def folders(put: Put) -> dict[str, Path]:
    """The same texts in the plain form and in each other."""
    rows = [{"tokens": [text[s:e] for s, e in words_of(text)], "ner_tags": tags_of(
        text, [Span(*one) for one in spans_of(text)], words_of(text))} for text in TEXTS]  # fmt: skip
    found = {}
    for split, count in (("train", 16), ("validation", 4)):
        found["plain"] = put(f"plain/{split}.jsonl", written(rows[:count], ".jsonl")).parent
        for form in ("spacy", "doccano", "label studio"):
            _, suffix, row = FORMS[form]
            content = written([row(text, spans_of(text)) for text in TEXTS[:count]], suffix)
            found[form] = put(f"{form}/{split}{suffix}", content).parent
    return found


def test_a_run_has_the_losses_of_the_plain_form(folders: dict[str, Path], keys: Keys, losses: Losses) -> None:
    found = {form: losses(folder, keys) for form, folder in folders.items()}
    assert [found[form] for form in folders] == [found["plain"]] * len(folders)


def test_check_names_the_format_and_three_rows_as_the_model_sees_them(folders: dict[str, Path], keys: Keys) -> None:
    found = api.estimate(api.check({**keys, "CUSTOM_DATASET_PATH": str(folders["doccano"]), "OUTPUT_DIR": "run"}))
    assert found.formats["validation"]["format"] == "doccano"
    assert found.formats["train"]["reason"] == (
        "train.jsonl: each row has a text and its labelled spans, as doccano exports them"
    )
    assert len(found.examples) == 3


def test_the_first_bad_row_ends_the_run(folders: dict[str, Path], keys: Keys, losses: Losses) -> None:
    with (folders["spacy"] / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "Ada", "entities": [[0, 2, "PER"]]}\n')
    with pytest.raises(InputError, match=r"train\.jsonl:17: the entity \[0, 2, 'PER'\] ends inside of the word 'Ada'"):
        losses(folders["spacy"], keys)


def test_two_formats_that_claim_a_file_are_both_named(put: Put, keys: Keys) -> None:
    row = {"text": TEXT, "label": [[0, 9, "PER"]], "spans": [{"start": 0, "end": 9, "label": "PER"}]}
    file = put("both/train.jsonl", written([row], ".jsonl"))
    with pytest.raises(InputError, match=r"recognised by spacy .* and doccano .* Set DATA_FORMAT"):
        api.check({**keys, "CUSTOM_DATASET_PATH": str(file.parent), "OUTPUT_DIR": "run"})


def test_classes_of_doccano_stay_a_table(put: Put, tiny_encoder: Path) -> None:
    rows = [{"id": n, "text": f"text {n}", "label": [("spam", "ham")[n % 2]]} for n in range(8)]
    folder = put("classes/train.jsonl", written(rows, ".jsonl")).parent
    for subtask in (None, "ner"):
        keys = {"TASK": "text_classification", "subtask": subtask, "MODEL_PATH": str(tiny_encoder)}
        keys |= {"CUSTOM_DATASET_PATH": str(folder), "OUTPUT_DIR": "run", "target_column": "label"}
        plan = api.check({**keys, "input_column": "text"})
        assert plan.data.data_format is None
        assert data_formats(plan)["train"].choice.name == "json"
