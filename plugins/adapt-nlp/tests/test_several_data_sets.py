"""Several data sets in one run: metrics of each and of all, weights, a resume, and places that do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import DataError, InputError

from .seq2seq_models import write
from .test_resuming import Stopped
from .test_resuming import cut_off as cut_off
from .test_training_parameters import equal
from .test_uneven_batches import JOBS, text, weights

QUICK = {"answers", "packs"}
SEVERAL = {**JOBS, "packs": ("tiny_llama", text, {"TASK": "text_generation", "packing": True, "max_seq_length": 32})}


@pytest.mark.parametrize("job", [pytest.param(job, marks=() if job in QUICK else pytest.mark.slow) for job in SEVERAL])
def test_metrics_are_those_of_each_data_set_alone_and_of_all(
    job: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    model, row, keys = SEVERAL[job]
    one, two = [row(number) for number in range(7)], [row(number) for number in range(20, 31)]
    train = [row(number) for number in range(40, 46)]
    for name, validation in (("one", one), ("two", two), ("all", one + two)):
        write(tmp_path / name, train=train, validation=validation)

    def measure(data: Any) -> Any:
        place = {"CUSTOM_DATASET_PATH": data, "OUTPUT_DIR": str(tmp_path / f"run-{len(list(tmp_path.iterdir()))}")}
        common = {
            "MODEL_PATH": str(request.getfixturevalue(model)),
            "DO_TRAIN": False,
            "NUM_WORKERS": 0,
            "BATCH_SIZE": 4,
        }
        return adapt_core.run({**keys, **common, **place}).metrics["before"]

    expected = measure(str(tmp_path / "all"))
    for name in ("one", "two"):
        alone = measure(str(tmp_path / name))
        expected.update({f"{metric}@{name}": value for metric, value in alone.items()})
    found = measure([str(tmp_path / "one"), {"path": str(tmp_path / "two"), "weight": 2}])
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def mixed(tiny_encoder: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs a classification of texts of two data sets, of 8 and of 20 rows, in a folder of a name."""
    write(tmp_path / "small", train=[text(n) for n in range(8)], validation=[text(n) for n in range(30, 36)])
    other = [{"body": row["text"], "label": row["label"]} for row in map(text, range(40, 60))]
    write(tmp_path / "large", train=other, validation=other[:5])
    large = {"path": str(tmp_path / "large"), "weight": 1, "columns": {"body": "text"}}

    def run(name: str, *, resume: bool = False, **changes: Any) -> Any:
        keys = {
            "TASK": "text_classification",
            "MODEL_PATH": str(tiny_encoder),
            "CUSTOM_DATASET_PATH": [{"path": str(tmp_path / "small"), "weight": 3}, large],
            "BATCH_SIZE": 4,
            "LR": 0.01,
            "NUM_WORKERS": 0,
            "SAVE_METHOD": "safetensors",
            "OUTPUT_DIR": str(tmp_path / name),
        }
        return adapt_core.run({**keys, **changes}, resume=resume)

    return run


def test_a_run_of_two_data_sets_is_resumed_on_the_same_rows(
    mixed: Callable[..., Any], cut_off: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """20 rows are a quarter of an epoch's 80; the best is chosen by the metric of one data set."""
    often = {"EPOCHS": 1, "INTERVAL": "steps", "INTERVAL_STEPS": 5, "KEEP": "best", "METRIC_FOR_BEST": "accuracy@large"}
    whole = mixed("whole", **often)
    assert whole.steps == 20
    assert {"loss", "accuracy", "loss@small", "accuracy@small", "accuracy@large"} <= set(whole.metrics["after"])
    assert whole.data["places"] == {
        "small": {"train_rows": 8, "validation_rows": 6, "in_an_epoch": 60, "share": 0.75},
        "large": {"train_rows": 20, "validation_rows": 5, "in_an_epoch": 20, "share": 0.25},
    }
    card = (tmp_path / "whole" / "README.md").read_text()
    assert "| small | 8 | 6 | 60 | 0.75 |" in card
    assert "accuracy@large" in (tmp_path / "whole" / "report.html").read_text()
    with monkeypatch.context():
        cut_off(13)
        with pytest.raises(Stopped):
            mixed("cut", **often)
        monkeypatch.undo()
    resumed = mixed("cut", resume=True, **often)
    assert equal(weights(resumed), weights(whole))
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "cut")]
    losses = [[json.loads(line).get("loss") for line in found] for found in lines]
    assert losses[0] == losses[1]


def test_a_place_without_the_columns_is_named(mixed: Callable[..., Any], tmp_path: Path) -> None:
    places = [str(tmp_path / "small"), str(tmp_path / "large")]
    with pytest.raises(DataError, match=r"large: .*the train split has no column 'text'; it has: body, label"):
        mixed("run", CUSTOM_DATASET_PATH=places)


def test_classes_and_numbers_do_not_mix(mixed: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "scores", train=[{"text": "a", "label": 0.5}, {"text": "b", "label": 2}])
    places = [str(tmp_path / "small"), str(tmp_path / "scores")]
    with pytest.raises(InputError, match=r"scores: problem_type: regression .* and .*small is single_label"):
        mixed("run", CUSTOM_DATASET_PATH=places)


def test_conversations_and_texts_do_not_mix(tiny_llama: Path, tmp_path: Path) -> None:
    turns = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}] * 4
    write(tmp_path / "chats", train=turns)
    write(tmp_path / "pairs", train=[{"prompt": "a", "completion": "b"}] * 4)
    keys = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "OUTPUT_DIR": str(tmp_path / "run")}
    with pytest.raises(DataError, match=r"pairs: the rows of the train split are pairs \(prompt, completion\), and"):
        adapt_core.run({**keys, "CUSTOM_DATASET_PATH": [str(tmp_path / "chats"), str(tmp_path / "pairs")]})


def test_the_one_data_set_with_validation_rows_may_decide_what_is_best(
    mixed: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "large" / "validation.jsonl").unlink()
    keys = {"EPOCHS": 1, "KEEP": "best"}
    with pytest.raises(InputError, match=r"'accuracy@large': no validation row is of this data set; they are of small"):
        mixed("refused", METRIC_FOR_BEST="accuracy@large", **keys)
    after = mixed("run", METRIC_FOR_BEST="accuracy@small", **keys).metrics["after"]
    assert after["accuracy@small"] == after["accuracy"]
