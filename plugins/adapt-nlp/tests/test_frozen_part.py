"""last_layer computes its frozen part once for each row: the same losses and metrics, and nothing is reused wrongly."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.hf.data.cache import cache_folder
from adapt_core.testing import small_models

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that no other test has filled."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def dropped(tmp_path_factory: pytest.TempPathFactory, inbox_texts: list[str]) -> Path:
    """A small BERT with dropout."""
    folder = tmp_path_factory.mktemp("bert")
    return small_models.bert(folder, inbox_texts, hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3)


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def stores() -> set[Path]:
    return {path.parent for path in (cache_folder() / "frozen").glob("*/complete.json")}


CASES: dict[str, dict[str, Any]] = {
    "head": {},
    "blocks": {"LAST_LAYERS": 2},
    "by length": {"GROUP_BY_LENGTH": True},
    "weights": {"CLASS_WEIGHTS": "balanced"},
    "accumulated": {"GRADIENT_ACCUMULATION_STEPS": 3, "BATCH_SIZE": 7},
    "recomputed": {"LAST_LAYERS": 2, "GRADIENT_CHECKPOINTING": True},
    "steps": {"INTERVAL": "steps", "INTERVAL_STEPS": 3, "KEEP": "best"},
}


SLOW = ("weights", "steps", "recomputed")


@pytest.mark.parametrize("case", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in CASES])
def test_losses_and_metrics_are_those_of_computing_at_every_step(
    run: Run, dropped: Path, tmp_path: Path, case: str
) -> None:
    keys = {"MODEL_PATH": str(dropped), "method": "last_layer", "EPOCHS": 3, "LOGGING_STEPS": 1, **CASES[case]}
    once = run(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    assert len(stores()) == 2  # of training and validation rows
    always = run(**keys, OUTPUT_DIR=str(tmp_path / "always"), FROZEN_CACHE_GB=0)
    assert losses(tmp_path / "once") == pytest.approx(losses(tmp_path / "always"), abs=1e-6)
    for phase in ("before", "after"):
        assert once.metrics[phase] == pytest.approx(always.metrics[phase], abs=1e-6)
    assert once.training_check == always.training_check


def tagged(texts: list[str]) -> list[dict[str, Any]]:
    words = [text.split() for text in texts]
    return [{"words": row, "tags": ["B-LONG" if len(word) > 5 else "O" for word in row]} for row in words]


def answered(texts: list[str]) -> list[dict[str, Any]]:
    answer = [text.split()[-1] for text in texts]
    starts = [text.rindex(word) for text, word in zip(texts, answer, strict=True)]
    return [
        {"context": text, "question": "What comes last?", "answers": {"text": [word], "answer_start": [start]}}
        for text, word, start in zip(texts, answer, starts, strict=True)
    ]


@pytest.mark.parametrize("task", ["tags", "answers"])
def test_tags_and_answers_start_from_kept_tokens(
    inbox_texts: list[str], dropped: Path, keys: dict[str, Any], tmp_path: Path, task: str
) -> None:
    import adapt_core

    texts = inbox_texts[:60]
    rows, more = {
        "tags": (tagged(texts), {"subtask": "ner", "input_column": "words", "target_column": "tags"}),
        "answers": (answered(texts), {"TASK": "question_answering", "max_length": 96, "doc_stride": 16}),
    }[task]
    config = {**keys, **more, "MODEL_PATH": str(dropped), "method": "last_layer", "EPOCHS": 3, "LOGGING_STEPS": 1}
    del config["CUSTOM_DATASET_PATH"]
    data = {"train": rows[:40], "validation": rows[40:]}
    once = adapt_core.run({**config, "OUTPUT_DIR": str(tmp_path / "once")}, data=data)
    assert len(stores()) == 2
    always = adapt_core.run({**config, "OUTPUT_DIR": str(tmp_path / "always"), "FROZEN_CACHE_GB": 0}, data=data)
    assert losses(tmp_path / "once") == pytest.approx(losses(tmp_path / "always"), abs=1e-6)
    assert once.metrics["after"] == pytest.approx(always.metrics["after"], abs=1e-6)


def test_a_later_run_finds_what_an_earlier_one_computed(
    run: Run, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level(logging.INFO, "adapt_core"):
        run(method="last_layer", EPOCHS=2, OUTPUT_DIR=str(tmp_path / "first"))
        assert caplog.text.count("computed once") == 2
        caplog.clear()
        run(method="last_layer", EPOCHS=3, LR=0.02, OUTPUT_DIR=str(tmp_path / "second"))
    assert "computed once" not in caplog.text
    assert caplog.text.count("from the cache") >= 2


def test_other_weights_rows_and_layers_are_computed_anew(run: Run, dropped: Path, inbox: Path, tmp_path: Path) -> None:
    count = 0
    for number, (changes, more) in enumerate(
        [
            ({}, 2),
            ({"MODEL_PATH": str(dropped)}, 2),
            ({"MAX_TRAIN_SAMPLES": 48}, 1),
            ({"max_seq_length": 8}, 2),
            ({"LAST_LAYERS": 2}, 2),
            ({"LR": 0.02}, 0),
        ]
    ):
        run(**{"method": "last_layer", "EPOCHS": 2, "OUTPUT_DIR": str(tmp_path / str(number)), **changes})
        count += more
        assert len(stores()) == count, changes


def test_a_resumed_run_ends_as_an_unbroken_one(run: Run, tmp_path: Path) -> None:
    keys = {"method": "last_layer", "EPOCHS": 3, "LOGGING_STEPS": 1, "INTERVAL": "steps", "INTERVAL_STEPS": 5}
    unbroken = run(**keys, OUTPUT_DIR=str(tmp_path / "unbroken"))
    run(**keys, OUTPUT_DIR=str(tmp_path / "broken"))
    for checkpoint in (tmp_path / "broken" / "checkpoints").glob("checkpoint-1[0-9]"):
        for file in checkpoint.iterdir():
            file.unlink()
        checkpoint.rmdir()
    (tmp_path / "broken" / "result.json").unlink()
    resumed = run(resume=True, **keys, OUTPUT_DIR=str(tmp_path / "broken"))
    assert resumed.metrics["after"] == pytest.approx(unbroken.metrics["after"], abs=1e-6)


def test_what_does_not_pay_or_fit_is_computed_at_every_step(
    run: Run, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    keys = {"method": "last_layer", "EPOCHS": 2}
    for number, changes in enumerate(
        [
            {"EPOCHS": 1, "DO_EVAL": False},
            {"FROZEN_CACHE_GB": 0},
            {"method": "full"},
            {"method": None, "FULL_FINE_TUNING": True},
            {"FROZEN_CACHE_GB": 1e-6},
            {"DO_TRAIN": False},
        ]
    ):
        with caplog.at_level(logging.INFO, "adapt_core"):
            run(**{**keys, **changes, "OUTPUT_DIR": str(tmp_path / str(number))})
        assert not stores(), changes
    assert "FROZEN_CACHE_GB allows 1000 B" in caplog.text


def test_dropout_in_frozen_layers_is_kept_where_it_is_asked_for(run: Run, dropped: Path, tmp_path: Path) -> None:
    keys = {"method": "last_layer", "EPOCHS": 2, "MODEL_PATH": str(dropped), "LOGGING_STEPS": 1}
    run(**keys, FROZEN_DROPOUT=True, OUTPUT_DIR=str(tmp_path / "dropout"))
    assert not stores()
    run(**keys, OUTPUT_DIR=str(tmp_path / "still"))
    assert losses(tmp_path / "dropout") != pytest.approx(losses(tmp_path / "still"), abs=1e-3)


@pytest.mark.parametrize(("layers", "kept"), [([1], 2), ([0, 1], 0)])
def test_an_adapter_in_the_last_layers_alone_leaves_a_frozen_part(
    run: Run, tiny_encoder: Path, tmp_path: Path, layers: list[int], kept: int
) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    names = [f"layer.{layer}.attention.self.{name}" for layer in layers for name in ("query", "value")]
    keys = {"method": "LoRA", "target_modules": names, "dropout": 0, "EPOCHS": 3, "LOGGING_STEPS": 1}
    once = run(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    assert len(stores()) == kept
    always = run(**keys, OUTPUT_DIR=str(tmp_path / "always"), FROZEN_CACHE_GB=0)
    assert losses(tmp_path / "once") == pytest.approx(losses(tmp_path / "always"), abs=1e-6)
    assert once.metrics["after"] == pytest.approx(always.metrics["after"], abs=1e-6)


@pytest.mark.parametrize("method", ["LoRA", "DoRA", "SSF"])
def test_dropout_before_the_first_adapted_layer_is_still(run: Run, dropped: Path, tmp_path: Path, method: str) -> None:
    """The adapter's own dropout, and that of the blocks with it, are at work as ever."""
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    names = ["layer.1.attention.output.dense", "layer.1.output.dense"]
    keys = {"MODEL_PATH": str(dropped), "method": method, "target_modules": names, "EPOCHS": 3, "LOGGING_STEPS": 1}
    once = run(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    assert len(stores()) == 2
    always = run(**keys, OUTPUT_DIR=str(tmp_path / "always"), FROZEN_CACHE_GB=0)
    assert losses(tmp_path / "once") == pytest.approx(losses(tmp_path / "always"), abs=1e-6)
    assert once.metrics["after"] == pytest.approx(always.metrics["after"], abs=1e-6)
    run(**keys, FROZEN_DROPOUT=True, OUTPUT_DIR=str(tmp_path / "dropout"))
    assert len(stores()) == 2, "dropout that is at work is drawn at every step"
    assert losses(tmp_path / "dropout") != pytest.approx(losses(tmp_path / "once"), abs=1e-3)


def sorted_by_length(folder: Path, inbox: Path, *, evaluated: Callable[[str], bool]) -> Path:
    """Write the inbox's rows as two splits: validation has those texts alone, training all."""
    folder.mkdir()
    lines = (inbox / "train.jsonl").read_text(encoding="utf-8").splitlines()
    chosen = [line for line in lines if evaluated(json.loads(line)["text"])]
    assert 5 < len(chosen) < len(lines)
    (folder / "train.jsonl").write_text("\n".join(lines[:64]) + "\n", encoding="utf-8")
    (folder / "validation.jsonl").write_text("\n".join(chosen[:32]) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("layers", [1, 2])
def test_texts_that_are_all_truncated_in_validation_alone(
    run: Run, inbox: Path, dropped: Path, tmp_path: Path, layers: int
) -> None:
    data = sorted_by_length(tmp_path / "data", inbox, evaluated=lambda text: len(text.split()) >= 8)
    keys: dict[str, Any] = {"MODEL_PATH": str(dropped), "method": "last_layer", "LAST_LAYERS": layers, "EPOCHS": 2}
    keys |= {"CUSTOM_DATASET_PATH": str(data), "max_seq_length": 8, "LOGGING_STEPS": 1}
    once = run(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    assert len(stores()) == 2
    always = run(**keys, OUTPUT_DIR=str(tmp_path / "always"), FROZEN_CACHE_GB=0)
    assert losses(tmp_path / "once") == pytest.approx(losses(tmp_path / "always"), abs=1e-6)
    assert once.metrics["after"] == pytest.approx(always.metrics["after"], abs=1e-6)


def test_one_row_of_validation_leaves_training_its_cache(run: Run, tmp_path: Path) -> None:
    run(method="last_layer", EPOCHS=2, MAX_EVAL_SAMPLES=1)
    assert len(stores()) == 2  # the trial of the training rows holds for the other split too


@pytest.mark.parametrize("damage", ["no index", "no values", "truncated", "nothing"])
def test_a_damaged_store_is_computed_anew(
    run: Run, caplog: pytest.LogCaptureFixture, tmp_path: Path, damage: str
) -> None:
    keys = {"method": "last_layer", "EPOCHS": 2, "LOGGING_STEPS": 1, "MAX_TRAIN_SAMPLES": 32}
    run(**keys, OUTPUT_DIR=str(tmp_path / "first"))
    before = stores()
    for folder in before:
        if damage == "no index":
            (folder / "complete.json").unlink()
        elif damage == "no values":
            (folder / "0.bin").unlink()
        elif damage == "truncated":
            (folder / "0.bin").write_bytes((folder / "0.bin").read_bytes()[:100])
        else:
            for file in folder.iterdir():
                file.unlink()
    caplog.clear()
    with caplog.at_level(logging.INFO, "adapt_core"):
        run(**keys, OUTPUT_DIR=str(tmp_path / "second"))
    assert caplog.text.count("computed once") == 2
    assert stores() == before == set((cache_folder() / "frozen").iterdir())
    assert losses(tmp_path / "second") == pytest.approx(losses(tmp_path / "first"), abs=1e-6)


@pytest.mark.parametrize("cause", ["a file in the way", "a model that cannot be tried"])
def test_no_failure_of_the_cache_ends_a_run(
    run: Run, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    keys = {"method": "last_layer", "EPOCHS": 2, "LOGGING_STEPS": 1, "MAX_TRAIN_SAMPLES": 32}
    run(**keys, OUTPUT_DIR=str(tmp_path / "always"), FROZEN_CACHE_GB=0)
    if cause == "a file in the way":
        cache_folder().mkdir(parents=True, exist_ok=True)
        (cache_folder() / "frozen").write_text("")
    else:
        monkeypatch.setattr("adapt_core.hf.frozen.trial.TRIED", "many")
    with caplog.at_level(logging.INFO, "adapt_core"):
        run(**keys, OUTPUT_DIR=str(tmp_path / "once"))
    assert "is computed at every step: " in caplog.text
    assert losses(tmp_path / "once") == losses(tmp_path / "always")


def test_mixed_precision_is_computed_at_every_step(run: Run, caplog: pytest.LogCaptureFixture, dropped: Path) -> None:
    with caplog.at_level(logging.INFO, "adapt_core"):
        run(MODEL_PATH=str(dropped), method="last_layer", EPOCHS=2, BF16=True, MAX_TRAIN_SAMPLES=32)
    assert "full precision" in caplog.text
    assert not stores()


def test_stores_of_earlier_runs_are_deleted_beyond_three_times_the_limit(run: Run, tmp_path: Path) -> None:
    limit = 10_000  # 64 rows take 8 192
    for number in range(4):
        keys = {"method": "last_layer", "EPOCHS": 2, "DO_EVAL": False, "max_seq_length": 8 + number}
        run(**keys, FROZEN_CACHE_GB=limit / 10**9, OUTPUT_DIR=str(tmp_path / str(number)))
        assert len(stores()) == min(number + 1, 3)
