"""ALSO_EVALUATE: further data sets are scored before and after training, as a run on them alone scores them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import AdaptError

Run = Callable[..., Any]
Row = dict[str, Any]


def write(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def letters(inbox: Path, tmp_path: Path) -> Path:
    """30 other texts of the inbox's classes, and two of a class that it has not."""
    rows = [json.loads(line) for line in (inbox / "train.jsonl").read_text("utf-8").splitlines()][-30:]
    strange = [{"text": "Where is my dog?", "label": "pets"}] * 2
    return write(tmp_path / "letters" / "validation.jsonl", [*rows[:20], *strange, *rows[20:]]).parent


def test_their_metrics_are_those_of_a_run_on_them_alone(run: Run, letters: Path, tmp_path: Path) -> None:
    result = run(ALSO_EVALUATE=[str(letters)])
    assert set(result.also) == {"letters"}
    for moment in ("before", "after"):
        assert set(result.also["letters"][moment]) == set(result.metrics[moment])
    assert result.also["letters"]["before"] != result.also["letters"]["after"]
    low, high = result.intervals["also letters"]["accuracy"]
    assert low < high
    assert low <= result.also["letters"]["after"]["accuracy"] <= high
    assert result.data["also"] == {"letters": {"rows": 30, "dropped": 2}}
    good = list(map(json.loads, (letters / "validation.jsonl").read_text("utf-8").splitlines()))
    alone = write(tmp_path / "alone" / "validation.jsonl", [row for row in good if row["label"] != "pets"]).parent
    again = run(
        MODEL_PATH=str(tmp_path / "run" / "model"),
        CUSTOM_DATASET_PATH=str(alone),
        MAX_EVAL_SAMPLES=None,
        DO_TRAIN=False,
        OUTPUT_DIR=str(tmp_path / "again"),
    )
    assert result.also["letters"]["after"] == pytest.approx(again.metrics["before"], abs=1e-5)
    for name, ends in again.intervals["before"].items():
        assert result.intervals["also letters"][name] == pytest.approx(ends, abs=1e-5)


def test_a_run_is_the_same_with_and_without_them(run: Run, letters: Path, tmp_path: Path) -> None:
    plain = run(OUTPUT_DIR=str(tmp_path / "plain"))
    also = run(ALSO_EVALUATE=[{"path": str(letters), "name": "mail"}], OUTPUT_DIR=str(tmp_path / "also"))
    assert also.metrics == plain.metrics
    assert {name: held for name, held in also.intervals.items() if name != "also mail"} == plain.intervals
    assert set(also.also) == {"mail"}


def test_columns_of_other_names_and_samples(run: Run, inbox: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (inbox / "validation.jsonl").read_text("utf-8").splitlines()]
    file = write(tmp_path / "other.jsonl", [{"body": row["text"], "kind": row["label"]} for row in rows])
    place = {"path": str(file), "columns": {"body": "text", "kind": "label"}}
    result = run(ALSO_EVALUATE=[place], MAX_EVAL_SAMPLES=20)
    assert result.data["also"]["other"]["rows"] == 20


def test_they_are_in_the_report_and_the_comparison(run: Run, letters: Path, tmp_path: Path) -> None:
    from adapt_core.report.comparison import compare

    result = run(ALSO_EVALUATE=[str(letters)])
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert 'id="also"' in page
    low, high = result.intervals["also letters"]["accuracy"]
    section = page[page.index('id="also"') :]
    assert f"({low:.4f} to {high:.4f})" in section[: section.index("</section>")]
    rows = {row.name: row.values for row in compare([tmp_path / "run"], lambda name: None).figures}
    assert rows["also letters accuracy"] == (result.also["letters"]["after"]["accuracy"],)


@pytest.mark.slow
def test_a_resumed_run_keeps_what_was_before(run: Run, letters: Path, tmp_path: Path) -> None:
    import shutil

    keys = {"ALSO_EVALUATE": [str(letters)], "EPOCHS": 2}
    whole = run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    (tmp_path / "cut" / "result.json").unlink()
    last = max((tmp_path / "cut" / "checkpoints").iterdir(), key=lambda path: int(path.name.rpartition("-")[2]))
    shutil.rmtree(last)
    assert run(**keys, OUTPUT_DIR=str(tmp_path / "cut"), resume=True).also == whole.also


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ALSO_EVALUATE": ["nowhere"]}, "nowhere does not exist"),
        ({"ALSO_EVALUATE": [{"name": "x"}]}, "ALSO_EVALUATE.*place 1 has no path"),
        ({"ALSO_EVALUATE": [{"path": "a.jsonl", "weight": 2}]}, "ALSO_EVALUATE.*leave weight out"),
        ({"ALSO_EVALUATE": ["a.jsonl"], "DO_EVAL": False}, "ALSO_EVALUATE.*DO_EVAL is false"),
    ],
)
def test_what_cannot_be_evaluated_is_told_first(keys: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        adapt_core.check({**keys, **changes})


def test_a_set_without_a_row_that_fits_is_an_error(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "pets.jsonl", [{"text": "Where is my dog?", "label": "pets"}] * 3)
    with pytest.raises(AdaptError, match=r"ALSO_EVALUATE: no row of .*pets\.jsonl can be scored \(row 1: "):
        run(ALSO_EVALUATE=[str(file)])


def test_other_columns_are_told_before_training(keys: dict[str, Any], tmp_path: Path) -> None:
    file = write(tmp_path / "other.jsonl", [{"body": "a", "kind": "b"}])
    with pytest.raises(AdaptError, match=r"other.*no column 'text'"):
        adapt_core.run({**keys, "ALSO_EVALUATE": [str(file)]})


@pytest.mark.parametrize("packing", [False, True])
def test_language_models_score_other_texts(run: Run, tiny_llama: Path, tmp_path: Path, packing: bool) -> None:
    lines = ["The library opens at nine.", "Bring the saw back, please.", "The hall is free on Monday."]
    data = write(tmp_path / "texts" / "train.jsonl", [{"text": f"{line} {n}"} for n in range(10) for line in lines])
    write(data.parent / "validation.jsonl", [{"text": f"{line} again"} for line in lines])
    other = write(tmp_path / "poems.jsonl", [{"text": "Roses are red and violets are blue."}] * 4)
    keys = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "packing": packing, "max_seq_length": 64}
    result = run(CUSTOM_DATASET_PATH=str(data.parent), ALSO_EVALUATE=[str(other)], **keys)
    before, after = (result.also["poems"][moment]["loss"] for moment in ("before", "after"))
    assert before != after
    alone = run(
        CUSTOM_DATASET_PATH=str(data.parent),
        VAL_DIR=str(other),
        MAX_EVAL_SAMPLES=None,
        OUTPUT_DIR=str(tmp_path / "alone"),
        **keys,
    )
    assert before == pytest.approx(alone.metrics["before"]["loss"], abs=1e-4)


def test_questions_and_tags_have_them_too(run: Run, tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [{"tokens": ["Ada", "sings"], "ner_tags": ["B-PER", "O"]}] * 12
    tags = write(tmp_path / "tags" / "train.jsonl", rows).parent
    write(tags / "validation.jsonl", rows)
    other = write(tmp_path / "more.jsonl", [{"tokens": ["Bo"], "ner_tags": ["B-PER"]}] * 3)
    result = run(CUSTOM_DATASET_PATH=str(tags), subtask="ner", ALSO_EVALUATE=[str(other)])
    assert set(result.also["more"]["after"]) == set(result.metrics["after"])
    asked = [
        {
            "id": str(number),
            "title": "",
            "context": "Ada sings in the hall.",
            "question": "Who sings?",
            "answers": {"text": ["Ada"], "answer_start": [0]},
        }
        for number in range(12)
    ]
    questions = write(tmp_path / "questions" / "train.jsonl", asked).parent
    write(questions / "validation.jsonl", asked)
    further = write(tmp_path / "further.jsonl", asked[:3])
    keys = {"TASK": "question_answering", "max_length": 32, "doc_stride": 8, "OUTPUT_DIR": str(tmp_path / "answers")}
    result = run(CUSTOM_DATASET_PATH=str(questions), ALSO_EVALUATE=[str(further)], **keys)
    assert set(result.also["further"]["after"]) == set(result.metrics["after"])


@pytest.mark.parametrize("packing", [False, True])
def test_language_models_answer_rows_of_them(run: Run, tiny_llama: Path, tmp_path: Path, packing: bool) -> None:
    rows = [{"prompt": f"Where is room {number}?", "completion": " Upstairs."} for number in range(12)]
    data = write(tmp_path / "asked" / "train.jsonl", rows).parent
    write(data / "validation.jsonl", rows[:4])
    other = write(tmp_path / "more.jsonl", [{"prompt": "Who sings?", "completion": f" {n}"} for n in range(5)])
    keys = {
        "TASK": "text_generation",
        "MODEL_PATH": str(tiny_llama),
        "CUSTOM_DATASET_PATH": str(data),
        "GENERATE_IN_EVALUATION": 5,
        "METRICS": ["regex"],
        "ANSWER_PATTERN": "[0-9]",
        "max_new_tokens": 4,
        "max_seq_length": 64,
        "packing": packing,
    }
    result = run(ALSO_EVALUATE=[str(other)], **keys)
    found = result.also["more"]
    assert set(found["before"]) == set(found["after"]) == set(result.metrics["after"])
    assert {"chrf", "regex_found"} <= set(found["after"])
    alone = run(VAL_DIR=str(other), DO_TRAIN=False, OUTPUT_DIR=str(tmp_path / "alone"), **keys)
    assert found["before"] == pytest.approx(alone.metrics["before"], abs=1e-4)


def test_pairs_of_texts_have_them_too(run: Run, tiny_t5: Path, tmp_path: Path) -> None:
    rows = [{"document": f"the room {number} is cold today", "summary": f"room {number}"} for number in range(12)]
    data = write(tmp_path / "pairs" / "train.jsonl", rows).parent
    write(data / "validation.jsonl", rows[:4])
    other = write(tmp_path / "more.jsonl", [{"text": "a letter of Ada", "short": "letter"}] * 3)
    place = {"path": str(other), "columns": {"text": "document", "short": "summary"}}
    keys = {"TASK": "summarization", "MODEL_PATH": str(tiny_t5), "CUSTOM_DATASET_PATH": str(data)}
    limits = {"max_input_length": 32, "max_target_length": 8, "generation_max_length": 8}
    result = run(ALSO_EVALUATE=[place], METRICS="chrf", **keys, **limits)
    assert result.data["also"] == {"more": {"rows": 3, "dropped": 0}}
    assert set(result.also["more"]["after"]) == set(result.metrics["after"])
    assert "chrf" in result.also["more"]["before"]


def numbered(place: Path, rows: list[tuple[Any, Any]], names: list[str], split: str) -> None:
    """Write texts with a class, or words with tags, as a table that numbers them by these names."""
    datasets = pytest.importorskip("datasets")
    label, text = datasets.ClassLabel(names=names), datasets.Value("string")
    of_words = isinstance(rows[0][1], list)
    features = (
        {"tokens": datasets.List(text), "ner_tags": datasets.List(label)}
        if of_words
        else {"text": text, "label": label}
    )
    numbers = [[names.index(one) for one in target] if of_words else names.index(target) for _, target in rows]
    place.mkdir(exist_ok=True)
    columns = dict(zip(features, ([given for given, _ in rows], numbers), strict=True))
    datasets.Dataset.from_dict(columns, datasets.Features(features)).to_parquet(str(place / f"{split}.parquet"))


@pytest.mark.parametrize("kind", ["classes", "tags"])
def test_classes_are_known_by_name_whatever_their_numbers(run: Run, tmp_path: Path, kind: str) -> None:
    if kind == "classes":
        rows = [(f"{word} number {n}", word) for n in range(30) for word in ("red", "blue")]
        names, keys = ["red", "blue"], {}
    else:
        rows = [(["see", "Ann"], ["O", "B-PER"]), (["in", "Rome"], ["O", "B-LOC"])] * 30
        names, keys = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], {"subtask": "ner"}
    own, other = tmp_path / "own", tmp_path / "other"
    for split in ("train", "validation"):
        numbered(own, rows, names, split)
    numbered(other, rows, names[::-1], "validation")
    everything = {"MAX_TRAIN_SAMPLES": None, "MAX_EVAL_SAMPLES": None, "EPOCHS": 4}
    result = run(CUSTOM_DATASET_PATH=str(own), ALSO_EVALUATE=[str(other)], **everything, **keys)
    assert result.metrics["after"] != result.metrics["before"]
    assert result.also["other"]["after"] == pytest.approx(result.metrics["after"], abs=1e-6)
