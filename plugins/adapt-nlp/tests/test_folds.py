"""FOLDS: a run for each fold, predictions of all rows, one table; a killed one goes on where it was."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import ConfigError, InputError

from .seq2seq_models import write
from .test_uneven_batches import JOBS, text

pytest.importorskip("sklearn", reason="FOLDS needs scikit-learn")


@pytest.fixture
def folds(tiny_encoder: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs two folds of 18 rows of three classes, one of them without a text."""
    rows = [text(number) for number in range(18)]
    rows.insert(4, {"text": None, "label": "work"})
    write(tmp_path / "data", train=rows, validation=[text(40)])

    def run(*, resume: bool = False, **changes: Any) -> Any:
        keys = {
            "TASK": "text_classification",
            "MODEL_PATH": str(tiny_encoder),
            "CUSTOM_DATASET_PATH": str(tmp_path / "data"),
            "SKIP_BAD_ROWS": True,
            "FOLDS": 2,
            "EPOCHS": 1,
            "NUM_WORKERS": 0,
            "OUTPUT_DIR": str(tmp_path / "run"),
        }
        return adapt_core.run({**keys, **changes}, resume=resume)

    return run


def test_folds_that_have_finished_are_not_run_again(
    folds: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_core.hf.loop.callbacks import MetricsCallback

    class Killed(Exception):
        """Thrown into the second fold."""

    begun = []
    on_train_begin = MetricsCallback.on_train_begin

    def begin(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
        begun.append(Path(args.output_dir).parent.name)
        if begun == ["fold-1", "fold-2"]:
            raise Killed
        on_train_begin(self, args, state, control, **options)

    monkeypatch.setattr(MetricsCallback, "on_train_begin", begin)
    with pytest.raises(Killed):
        folds()
    with pytest.raises(InputError, match="holds unfinished folds"):
        folds()
    result = folds(resume=True)
    assert begun == ["fold-1", "fold-2", "fold-2"]
    files = [tmp_path / "run" / f"fold-{number}" / "result.json" for number in (1, 2)]
    held = [adapt_core.RunResult.from_json(file.read_text()) for file in files]
    values = [one.metrics["after"]["accuracy"] for one in held]
    assert result.folds["after"]["accuracy"]["values"] == values
    assert result.metrics["after"]["accuracy"] == pytest.approx(statistics.fmean(values))
    half = 12.706205 * statistics.stdev(values) / 2**0.5
    assert result.folds["after"]["accuracy"]["high"] == pytest.approx(statistics.fmean(values) + half)
    lines = [json.loads(line) for line in (tmp_path / "run" / "predictions" / "out_of_fold.jsonl").open()]
    assert [line["row"] for line in lines] == [row for row in range(1, 20) if row != 5]
    assert all(line["data"] == text(line["row"] - 1 - (line["row"] > 5)) for line in lines)
    right = [line["predicted"]["label"] == line["data"]["label"] for line in lines if line["fold"] == 1]
    assert sum(right) / len(right) == pytest.approx(values[0])
    assert (result.data["rows"], result.data["classes"], result.verdict) == (18, 3, {})
    assert result.training_check["steps"] == sum(one.steps for one in held)
    assert "validation accuracy" in (tmp_path / "run" / "README.md").read_text()
    assert folds(resume=True) == result
    with pytest.raises(InputError, match="holds finished folds"):
        folds()


def test_folds_of_several_machines_are_joined(folds: Callable[..., Any], tmp_path: Path) -> None:
    """U+2028 and U+0085 in a text end no line of the file."""
    rows = [{**text(number), "text": f"{text(number)['text']}\u2028and\u0085more"} for number in range(18)]
    write(tmp_path / "data", train=rows)
    for number in (1, 2):
        folds(FOLD=number, OUTPUT_DIR=str(tmp_path / "run" / f"fold-{number}"))
    with pytest.raises(InputError, match=r"fold-1 holds a fold with other values of SEED: 42 -> 7"):
        folds(resume=True, SEED=7)
    result = folds(resume=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "predictions" / "out_of_fold.jsonl").open()]
    assert [line["data"] for line in lines] == rows
    assert len(result.folds["after"]["accuracy"]["values"]) == 2


def test_folds_of_other_data_are_not_joined(folds: Callable[..., Any], tmp_path: Path) -> None:
    folds(FOLD=1, OUTPUT_DIR=str(tmp_path / "run" / "fold-1"))
    write(tmp_path / "data", train=[text(number) for number in range(24)])
    with pytest.raises(InputError, match=r"the data \(.*train.jsonl\) has changed since fold 1"):
        folds(resume=True)
    with pytest.raises(
        InputError, match=r"row \d+ of the data is held out by the folds 1 and 2\. The folds are not of the same rows"
    ):
        folds(resume=True, RESUME_WITH_CHANGES=True)


SLOW = ("ner", "translation, T5", "text generation, padded")


@pytest.mark.parametrize("job", ["answers", *(pytest.param(job, marks=pytest.mark.slow) for job in SLOW)])
def test_every_task_has_folds(job: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model, row, keys = JOBS[job]
    write(tmp_path / "data", train=[row(number) for number in range(6)])
    place = {"CUSTOM_DATASET_PATH": str(tmp_path / "data"), "OUTPUT_DIR": str(tmp_path / "run"), "MAX_STEPS": 1}
    common = {"MODEL_PATH": str(request.getfixturevalue(model)), "FOLDS": 2, "NUM_WORKERS": 0}
    result = adapt_core.run({**keys, **common, **place})
    lines = [json.loads(line) for line in (tmp_path / "run" / "predictions" / "out_of_fold.jsonl").open()]
    assert [line["row"] for line in lines] == list(range(1, 7))
    assert all(line["predicted"] for line in lines)
    assert set(result.folds["after"]["loss"]) == {"mean", "std", "low", "high", "values"}


def test_a_fold_that_is_none_is_told(folds: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="FOLD: 3 is none of 2 FOLDS"):
        folds(FOLD=3)
    with pytest.raises(ConfigError, match="FOLDS: trains and validates each fold"):
        folds(DO_EVAL=False)
