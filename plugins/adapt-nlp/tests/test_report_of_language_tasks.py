"""What the language tasks give the report: samples before and after, and how each class did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def evidence(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    return found


def test_texts_are_shown_with_their_class_before_and_after(run: Run, tmp_path: Path) -> None:
    run()
    found = evidence(tmp_path)
    before, after = found["before"]["samples"], found["after"]["samples"]
    assert len(before) == len(after) == 6
    assert [(s["input"], s["expected"]) for s in before] == [(s["input"], s["expected"]) for s in after]
    assert [s["predicted"] for s in before] != [s["predicted"] for s in after]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert 'id="samples"' in page
    assert 'id="classes"' in page


def test_confusions_are_those_of_the_evaluation_that_gave_the_metrics(run: Run, tmp_path: Path) -> None:
    result = run()
    table = evidence(tmp_path)["after"]["per_class"]
    counts = table["confusion"]
    right = sum(row[number] for number, row in enumerate(counts))
    assert sum(map(sum, counts)) == 32
    assert right / 32 == pytest.approx(result.metrics["after"]["accuracy"])
    f1 = [value for value, rows in zip(table["figures"]["f1"], table["figures"]["rows"], strict=True) if rows]
    assert sum(f1) / len(f1) == pytest.approx(result.metrics["after"]["macro_f1"], abs=0.02)


def test_samples_change_nothing_of_the_training(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_samples = run()
    monkeypatch.setattr("adapt_core.report.evaluation_record.SAMPLES", 1)
    fewer = run(OUTPUT_DIR=str(tmp_path / "fewer"))
    assert with_samples.metrics == fewer.metrics


def test_samples_that_fail_are_a_warning(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from adapt_nlp.text_classification.task import TextClassification

    def fails(*_: Any) -> Any:
        raise RuntimeError("no tokens left")

    monkeypatch.setattr(TextClassification, "samples", fails)
    assert run().status == "finished"
    assert "no samples for the report: RuntimeError: no tokens left" in (tmp_path / "run" / "log.txt").read_text()
    assert evidence(tmp_path)["after"]["samples"] == []


def test_a_resumed_run_shows_what_before_looked_like(run: Run, tmp_path: Path) -> None:
    from adapt_core.errors import DefectError
    from adapt_core.verification.training import TrainingCheck

    whole = run(OUTPUT_DIR=str(tmp_path / "whole"), EPOCHS=2)

    def stops(_: Any) -> Any:
        raise DefectError("stopped on purpose")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingCheck, "verdict", stops)
        with pytest.raises(DefectError, match="on purpose"):
            run(EPOCHS=2)
    (tmp_path / "run" / "result.json").unlink(missing_ok=True)
    again = run(resume=True, EPOCHS=2)
    assert again.metrics == whole.metrics
    kept = evidence(tmp_path)
    first = json.loads((tmp_path / "whole" / "evaluation.json").read_text())
    assert kept["before"] == first["before"]
    assert kept["after"] == first["after"]


def test_tags_are_shown_word_by_word(run: Run, tmp_path: Path, words: Path) -> None:
    run(subtask="ner", CUSTOM_DATASET_PATH=str(words))
    found = evidence(tmp_path)["after"]
    sample = found["samples"][0]
    assert [word for word, _ in sample["expected"]] == sample["input"].split() == [w for w, _ in sample["predicted"]]
    assert set(found["per_class"]["labels"]) >= {"PER"}
    assert found["per_class"]["confusion"] is None
    run(subtask="pos", CUSTOM_DATASET_PATH=str(words), target_column="ner_tags", OVERWRITE_OUTPUT_DIR=True)
    table = evidence(tmp_path)["after"]["per_class"]
    assert table["labels"] == ["B-PER", "O"]
    assert sum(map(sum, table["confusion"])) == sum(table["figures"]["rows"])


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Rows of words, in which names are people."""
    rows = [{"tokens": ["please", "call", name, "today"], "ner_tags": ["O", "O", "B-PER", "O"]} for name in "abcdefgh"]
    folder = tmp_path / "words"
    folder.mkdir()
    for split in ("train", "validation"):
        lines = "".join(json.dumps(row) + "\n" for row in rows * 4)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def test_answers_are_shown_beside_their_question(run: Run, tmp_path: Path) -> None:
    context = "Ada lived in London and Grace lived in New York."
    rows = [
        {"context": context, "question": "Where did Ada live?", "answers": {"text": ["London"], "answer_start": [13]}},
        {"context": context, "question": "Where did Alan live?", "answers": {"text": [], "answer_start": []}},
    ]
    folder = tmp_path / "questions"
    folder.mkdir()
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 8), encoding="utf-8")
    run(
        TASK="question_answering",
        CUSTOM_DATASET_PATH=str(folder),
        squad_v2_format=True,
        max_length=64,
        doc_stride=16,
    )
    found = evidence(tmp_path)["after"]
    assert found["per_class"]["labels"] == ["answer", "no answer"]
    assert found["per_class"]["figures"]["rows"] == [8, 8]
    assert {sample["expected"] for sample in found["samples"]} == {"London", "(no answer)"}
    assert found["samples"][0]["input"]["context"] == context
    assert all(sample["predicted"] for sample in found["samples"])


def test_the_model_card_is_read_by_the_hub_s_library(run: Run, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    result = run()
    card = ModelCard.load(tmp_path / "run" / "README.md", ignore_metadata_errors=False)
    assert card.data.pipeline_tag == "text-classification"
    values = {item.metric_type: item.metric_value for item in card.data.eval_results}
    assert values["accuracy"] == pytest.approx(result.metrics["after"]["accuracy"], abs=1e-6)


def test_tensorboard_gets_every_figure(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = run(TRACKERS=["tensorboard"], LOGGING_STEPS=1)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert {"train/loss", "train/learning_rate", "eval/loss", "eval/accuracy"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]
    last = events.Scalars("eval/accuracy")[-1]
    assert last.value == pytest.approx(result.metrics["after"]["accuracy"])


def test_a_tracker_without_its_package_is_refused_before_training(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_core.errors import InputError

    monkeypatch.setattr("adapt_core.config.listed._is_absent", lambda name: name == "tensorboard")
    with pytest.raises(InputError, match="tensorboard of adapt-core needs tensorboard"):
        run(REPORT_TO="tensorboard")
    assert not (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.parametrize("moment", ["__init__", "start", "log", "finish"])
def test_a_tracker_that_raises_stops_no_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    pytest.importorskip("tensorboard")
    from adapt_core.trackers.tensorboard import TensorBoard

    def full_disk(self: Any, *given: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(TensorBoard, moment, full_disk)
    assert run(TRACKERS="tensorboard", LOGGING_STEPS=1).status == "finished"
    text = (tmp_path / "run" / "log.txt").read_text()
    assert text.count("no space left on device") == 1
    hook = "adapt_run_finished" if moment == "finish" else "adapt_metrics"
    assert f"the tracker tensorboard failed in {hook} and is left out" in text


def test_a_model_that_predicts_one_class_is_told_at_the_top(run: Run, tmp_path: Path) -> None:
    result = run(LR=0.0, EPOCHS=1, VERDICT="none")
    [said] = result.warnings
    table = evidence(tmp_path)["after"]["per_class"]
    right = sum(row[number] for number, row in enumerate(table["confusion"]))
    assert f"({right} are right)" in said or said.startswith(f"{right} of 32 predictions")
    assert said in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert 0 < page.index("Warning: ") < page.index('class="tiles"')


def test_entities_that_are_never_predicted_are_told() -> None:
    from adapt_core.verification.predictions import class_findings

    from adapt_nlp.token_classification.metrics import entity_table

    truth = [["B-place", "O"], ["O", "B-person"]]
    [said] = class_findings(entity_table(truth, [["O", "O"], ["O", "O"]]), "validation")
    assert said.startswith("nothing was found in the validation split, which has person, place")
    assert class_findings(entity_table(truth, [["B-place", "O"], ["O", "O"]]), "validation") == []
