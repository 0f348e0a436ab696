"""GROUP_BY_LENGTH in every text task: predictions of the right rows, the same rows after a resume, and real lengths.

transformers (5.24.0) evaluates such rows in the order of their length and returns predictions in it; it draws the order
of an epoch from the global random state, so that a resumed epoch takes other rows; a column `length` may go unread.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core

from .seq2seq_models import write
from .test_resuming import Stopped
from .test_resuming import cut_off as cut_off
from .test_training_parameters import equal
from .test_uneven_batches import JOBS, weights

GENERATES = {"translation, T5", "translation, BART", "summarization, BERT2BERT"}
QUICK = {"ner", "translation, T5"}


@pytest.fixture(params=[pytest.param(job, marks=() if job in QUICK else pytest.mark.slow) for job in JOBS])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Runs a job whose rows are grouped by length, in a folder of a name."""
    model, row, keys = JOBS[request.param]
    train, validation = [row(number) for number in range(18)], [row(number) for number in range(20, 33)]
    for number, held in enumerate(train):
        held["length"] = f"{-number} cm"
    plain = write(
        tmp_path / "plain",
        train=[{key: value for key, value in held.items() if key != "length"} for held in train],
        validation=validation,
    )
    measured = write(tmp_path / "measured", train=train, validation=validation)
    common = {
        "MODEL_PATH": str(request.getfixturevalue(model)),
        "OPTIMIZER": "sgd",
        "LR": 0.1,
        "BATCH_SIZE": 2,
        "GROUP_BY_LENGTH": True,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
        **({"predict_with_generate": True, "generation_max_length": 8} if request.param in GENERATES else {}),
    }

    def start(name: str, *, resume: bool = False, lengths: bool = False, **changes: Any) -> Any:
        data = {"CUSTOM_DATASET_PATH": str(measured if lengths else plain), "OUTPUT_DIR": str(tmp_path / name)}
        return adapt_core.run({**keys, **common, **data, **changes}, resume=resume)

    return start


def test_predictions_are_those_of_the_rows(run: Callable[..., Any], tmp_path: Path) -> None:
    grouped = run("grouped", DO_TRAIN=False)
    in_order = run("in order", DO_TRAIN=False, GROUP_BY_LENGTH=False)
    assert grouped.metrics["before"] == pytest.approx(in_order.metrics["before"], rel=1e-5)
    kept = [json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("grouped", "in order")]
    for record in kept:
        for sample in record["before"]["samples"]:
            sample.pop("scores", None)
    assert kept[0] == kept[1]


@pytest.mark.slow
def test_a_resumed_epoch_takes_the_rows_of_an_uninterrupted_one(
    run: Callable[..., Any], cut_off: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    often = {"EPOCHS": 2, "INTERVAL": "steps", "INTERVAL_STEPS": 3, "DO_EVAL": False}
    whole = run("whole", **often)
    with monkeypatch.context():
        cut_off(13)
        with pytest.raises(Stopped):
            run("cut", **often)
        monkeypatch.undo()
    assert equal(weights(run("cut", resume=True, **often)), weights(whole))
    assert not equal(weights(run("in order", GROUP_BY_LENGTH=False, **often)), weights(whole))


def test_a_column_named_length_changes_nothing(run: Callable[..., Any]) -> None:
    once = {"MAX_STEPS": 4, "DO_EVAL": False, "INTERVAL": "no"}
    assert equal(weights(run("with", lengths=True, **once)), weights(run("without", **once)))
