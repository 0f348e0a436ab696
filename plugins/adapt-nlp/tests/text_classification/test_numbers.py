"""Numbers for each text: found, learned as a plain script learns them, predicted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import DataError
from adapt_core.testing.cards import python_of

from .plain_problems import train
from .test_several_labels import AS_THE_SCRIPT, training_losses
from .topics import measured, write

Run = Callable[..., Any]
METRICS = {"loss", "rmse", "mse", "mae", "r2", "pearson", "spearman"}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 training and 37 validation texts with a number each."""
    return write(tmp_path_factory.mktemp("scored"), train=measured(64), validation=measured(37, seed=1))


@pytest.fixture
def learn(run: Run, scored: Path) -> Run:
    """Runs the small config on texts with numbers."""

    def run_on(data: Path = scored, **changes: Any) -> Any:
        return run(CUSTOM_DATASET_PATH=str(data), MAX_EVAL_SAMPLES=None, **changes)

    return run_on


def pairs(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows with two numbers."""
    return [
        {"text": row["text"], "ease": row["label"], "length": len(row["text"]) / 20} for row in measured(count, seed)
    ]


def test_numbers_with_a_fraction_are_learned_as_numbers(learn: Run, tmp_path: Path, python: Callable[..., Any]) -> None:
    result = learn(EPOCHS=12)
    assert result.data["problem_type"] == "regression (column 'label' has numbers with a fraction)"
    assert set(result.metrics["after"]) == METRICS
    assert result.metrics["after"]["rmse"] < 0.5 * result.metrics["before"]["rmse"]
    assert result.metrics["after"]["loss"] == pytest.approx(result.metrics["after"]["mse"], abs=1e-6)
    [found] = adapt_core.predict(tmp_path / "run", ["A text to classify."])
    done = python(f"{python_of(tmp_path / 'run' / 'README.md')}\nprint(values['label'])", folder=tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(found["values"]["label"], abs=1e-5)


@pytest.mark.parametrize("lora", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_losses_equal_a_plain_script_s(
    learn: Run, scored: Path, tiny_encoder: Path, tmp_path: Path, lora: bool
) -> None:
    if lora:
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    keys = {"method": "LoRA", "r": 8, "alpha": 16, "dropout": 0, "target_modules": ["query", "value"]} if lora else {}
    learn(**AS_THE_SCRIPT, **keys)
    expected = train(tiny_encoder, scored, tmp_path / "plain", lambda v: [v], 1, problem_type="regression", lora=lora)
    assert training_losses(tmp_path / "run") == pytest.approx(expected, abs=1e-6)


def test_several_numbers_are_several_columns_or_a_list(learn: Run, tmp_path: Path) -> None:
    columns = write(tmp_path / "columns", train=pairs(64), validation=pairs(20, seed=1))
    lists = write(
        tmp_path / "lists",
        **{
            name: [{"text": row["text"], "label": [row["ease"], row["length"]]} for row in rows]
            for name, rows in (("train", pairs(64)), ("validation", pairs(20, seed=1)))
        },
    )
    one = learn(columns, target_columns=["ease", "length"])
    [found] = adapt_core.predict(tmp_path / "run", ["use the saw"])
    assert set(found["values"]) == {"ease", "length"}
    other = learn(lists, OVERWRITE_OUTPUT_DIR=True)
    assert one.metrics == other.metrics
    assert set(adapt_core.predict(tmp_path / "run", ["use the saw"])[0]["values"]) == {"label_1", "label_2"}


def test_whole_numbers_are_classes_until_a_key_says_otherwise(learn: Run, tmp_path: Path) -> None:
    rows = [{**row, "label": int(row["label"] * 2 + 0.5)} for row in measured(64)]
    data = write(tmp_path / "whole", train=rows, validation=rows)
    assert "problem_type" not in learn(data).data
    result = learn(data, problem_type="regression", OVERWRITE_OUTPUT_DIR=True)
    assert "rmse" in result.metrics["after"]


def test_a_target_of_minus_100_is_a_number_as_any_other(learn: Run, tmp_path: Path) -> None:
    """-100 marks ignored tokens elsewhere: such rows would not count in the mean."""
    rows = [{**row, "label": -100.0 if number % 2 else -99.5} for number, row in enumerate(measured(32))]
    result = learn(write(tmp_path / "cold", train=rows, validation=rows), LR=1e-9, LOGGING_STEPS=1)
    assert training_losses(tmp_path / "run")[0] == pytest.approx(99.75**2, rel=0.02)
    assert result.metrics["after"]["loss"] == pytest.approx(result.metrics["after"]["mse"], rel=1e-6)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (float("nan"), "is nan, not a finite number"),
        (float("inf"), "is inf, not a finite number"),
        (None, r"is missing \(null\), not a number"),
        ("many", "is 'many', not a number"),
    ],
)
def test_a_target_that_is_no_number_is_told_with_its_line(learn: Run, tmp_path: Path, number: Any, told: str) -> None:
    rows = measured(8)
    rows[2]["label"] = number
    data = write(tmp_path / "bad", train=rows, validation=measured(8))
    with pytest.raises(DataError, match=rf"train row 3: column 'label' {told}.*train.jsonl:3"):
        learn(data, problem_type="regression")


def test_lists_of_numbers_are_of_one_length(learn: Run, tmp_path: Path) -> None:
    rows = [{"text": "a", "label": [0.5, 1.5]}, {"text": "b", "label": [0.5]}]
    with pytest.raises(DataError, match=r"train row 2: column 'label' has 1 numbers, not 2 as other rows"):
        learn(write(tmp_path / "bad", train=rows, validation=rows))
