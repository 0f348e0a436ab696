"""When a run evaluates and saves, on which batches, and which weights it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .test_training_parameters import Run, metric_lines


def checkpoints(folder: Path) -> list[int]:
    return sorted(int(path.name.partition("-")[2]) for path in (folder / "checkpoints").glob("checkpoint-*"))


@pytest.mark.parametrize(
    ("settings", "evaluated", "saved"),
    [
        ({"INTERVAL": "epoch", "EPOCHS": 2}, [4, 8], [4, 8]),
        ({"INTERVAL": "steps", "INTERVAL_STEPS": 3, "EPOCHS": 2}, [3, 6, 8], [3, 6, 8]),
        ({"INTERVAL": "no"}, [], []),
        ({"INTERVAL": "epoch", "EPOCHS": 3, "NO_OF_CHECKPOINTS": 1}, [4, 8, 12], [12]),
        ({"INTERVAL": "epoch", "DO_EVAL": False}, [], [4]),
    ],
)
def test_interval_says_when_to_evaluate_and_save(
    run: Run, tmp_path: Path, settings: dict[str, Any], evaluated: list[int], saved: list[int]
) -> None:
    run(**settings)
    assert [line["step"] for line in metric_lines(tmp_path / "run", "eval")] == evaluated
    assert checkpoints(tmp_path / "run") == saved


def test_logging_steps_says_how_often_figures_are_written(run: Run, tmp_path: Path) -> None:
    run(LOGGING_STEPS=2)
    assert [line["step"] for line in metric_lines(tmp_path / "run", "train")] == [2, 4]


@pytest.fixture
def contradicted(inbox: Path, tmp_path: Path) -> Path:
    """A set whose validation rows are its training rows with another label: learning makes the loss worse."""
    lines = (inbox / "train.jsonl").read_text(encoding="utf-8").splitlines()[:64]
    rows = [json.loads(line) for line in lines]
    labels = sorted({row["label"] for row in rows})
    following = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    folder = tmp_path / "contradicted"
    folder.mkdir()
    (folder / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    others = [json.dumps({**row, "label": following[row["label"]]}) for row in rows]
    (folder / "validation.jsonl").write_text("\n".join(others), encoding="utf-8")
    return folder


def test_keep_best_ends_with_the_best_weights_by_the_chosen_metric(
    run: Run, contradicted: Path, tmp_path: Path
) -> None:
    data = {"CUSTOM_DATASET_PATH": str(contradicted), "MAX_EVAL_SAMPLES": 64}
    result = run(**data, EPOCHS=8, KEEP="best", METRIC_FOR_BEST="loss", SCHEDULER_TYPE="constant")
    losses = {line["step"]: line["loss"] for line in metric_lines(tmp_path / "run", "eval")}
    assert result.metrics["after"]["loss"] == min(losses.values())
    assert min(losses, key=lambda step: losses[step]) != max(losses), "the last must not be the best here"
    measured = run(
        **data,
        DO_TRAIN=False,
        MODEL_CHECKPOINT=str(tmp_path / "run" / "model"),
        OUTPUT_DIR=str(tmp_path / "again"),
    )
    assert measured.metrics["before"]["loss"] == pytest.approx(min(losses.values()), abs=1e-6)


def test_keep_last_ends_with_the_last_weights(run: Run, tmp_path: Path) -> None:
    result = run(EPOCHS=4, LR=0.3)
    assert result.metrics["after"]["loss"] == metric_lines(tmp_path / "run", "eval")[-1]["loss"]


def test_early_stopping_ends_a_run_that_gets_no_better(run: Run, tmp_path: Path) -> None:
    result = run(EPOCHS=30, LR=0.5, EARLY_STOPPING_PATIENCE=2, METRIC_FOR_BEST="loss")
    assert result.steps < 30 * 4


def test_eval_batch_size_is_that_of_evaluation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Trainer

    sizes: list[int] = []
    step = Trainer.prediction_step

    def watch(self: Any, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
        sizes.append(len(inputs["labels"]))
        return step(self, model, inputs, *rest, **options)

    monkeypatch.setattr(Trainer, "prediction_step", watch)
    run(DO_TRAIN=False, EVAL_BATCH_SIZE=10)
    assert sizes == [10, 10, 10, 2]
    sizes.clear()
    run(DO_TRAIN=False, BATCH_SIZE=20, OVERWRITE_OUTPUT_DIR=True)
    assert sizes == [20, 12]


def test_num_workers_is_the_number_of_loading_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.utils.data import DataLoader

    from adapt_core.runtime.cores import usable_cores

    workers: list[int] = []
    initialise = DataLoader.__init__

    def watch(self: Any, *arguments: Any, **options: Any) -> None:
        workers.append(options.get("num_workers", 0))
        initialise(self, *arguments, **options)

    monkeypatch.setattr(DataLoader, "__init__", watch)
    run(NUM_WORKERS=2, DO_TRAIN=False)
    assert set(workers) == {min(2, usable_cores())}


def test_remove_unused_columns_decides_what_reaches_the_batches(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Trainer

    kept: list[bool] = []
    initialise = Trainer.__init__

    def watch(self: Any, *arguments: Any, **options: Any) -> None:
        kept.append(options["args"].remove_unused_columns)
        initialise(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "__init__", watch)
    run(DO_TRAIN=False)
    run(DO_TRAIN=False, REMOVE_UNUSED_COLUMNS=False, OVERWRITE_OUTPUT_DIR=True)
    assert kept == [True, False]
