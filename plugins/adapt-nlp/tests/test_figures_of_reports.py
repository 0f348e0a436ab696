"""Each figure of a report is in result.json, for a run of each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.testing.reports import figures_without_place

from .text_classification.topics import labelled, measured, write

Run = Callable[..., Any]


def test_of_classes_with_decisions_and_a_further_set(run: Run, keys: dict[str, Any], tmp_path: Path) -> None:
    result = run(
        ABSTAIN_PRECISION=0.6,
        ALSO_EVALUATE=[{"path": keys["CUSTOM_DATASET_PATH"], "name": "again"}],
        METRICS=["mcc"],
        EPOCHS=2,
    )
    assert result.per_class["labels"]
    assert [line["phase"] for line in result.evaluations] == ["before", "eval", "eval", "after"]
    assert result.evaluations[-1]["accuracy"] == result.metrics["after"]["accuracy"]
    assert figures_without_place(tmp_path / "run") == []


def test_a_figure_that_the_result_lacks_is_found(run: Run, tmp_path: Path) -> None:
    run()
    page = tmp_path / "run" / "report.html"
    page.write_text(page.read_text("utf-8").replace("</main>", "<p>best 0.98761</p></main>"), encoding="utf-8")
    assert figures_without_place(tmp_path / "run") == ["0.98761 in 'best 0.98761'"]


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_of_several_labels_and_of_numbers(run: Run, kind: str, tmp_path: Path) -> None:
    rows = labelled if kind == "labels" else measured
    data = write(tmp_path / "data", train=rows(64), validation=rows(37, seed=1))
    run(CUSTOM_DATASET_PATH=str(data), MAX_EVAL_SAMPLES=None)
    assert figures_without_place(tmp_path / "run") == []


def test_of_written_answers(language_keys: dict[str, Any], tmp_path: Path) -> None:
    rows = [{"prompt": f"the room {n % 5}", "completion": f"is {n % 3}"} for n in range(24)]
    adapt_core.run(
        {**language_keys, "GENERATE_IN_EVALUATION": 8, "max_new_tokens": 4, "DO_EVAL": True},
        data={"train": rows, "validation": rows[:8]},
    )
    assert figures_without_place(tmp_path / "run") == []


def test_of_tags_and_of_answers(tiny_encoder: Path, tmp_path: Path) -> None:
    small = {"MODEL_PATH": str(tiny_encoder), "EPOCHS": 1, "NUM_WORKERS": 0, "OVERWRITE_OUTPUT_DIR": True}
    small["OUTPUT_DIR"] = str(tmp_path / "run")
    tagged = [
        {"tokens": ["the", f"room{n % 3}", "in", "york"], "ner_tags": ["O", "B-ROOM", "O", "B-PLACE"]}
        for n in range(24)
    ]
    adapt_core.run(
        {**small, "TASK": "text_classification", "subtask": "ner"}, data={"train": tagged, "validation": tagged[:8]}
    )
    assert figures_without_place(tmp_path / "run") == []
    context = "The room is free on Monday."
    asked = [
        {"question": "When?", "context": context, "answers": {"text": ["Monday"], "answer_start": [20]}},
        {"question": "What is free?", "context": context, "answers": {"text": ["The room"], "answer_start": [0]}},
    ] * 8
    adapt_core.run(
        {**small, "TASK": "question_answering", "max_length": 64, "doc_stride": 16},
        data={"train": asked, "validation": asked[:6]},
    )
    assert figures_without_place(tmp_path / "run") == []


def test_of_translations(tiny_t5: Path, tmp_path: Path) -> None:
    pairs = [{"translation": {"en": f"the room {n % 4}", "de": f"der raum {n % 4}"}} for n in range(24)]
    config = {
        "TASK": "translation",
        "MODEL_PATH": str(tiny_t5),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "source_lang": "en",
        "target_lang": "de",
        "predict_with_generate": True,
        "max_target_length": 12,
        "METRICS": ["chrf"],
        "EPOCHS": 1,
        "NUM_WORKERS": 0,
    }
    adapt_core.run(config, data={"train": pairs, "validation": pairs[:8]})
    assert figures_without_place(tmp_path / "run") == []
