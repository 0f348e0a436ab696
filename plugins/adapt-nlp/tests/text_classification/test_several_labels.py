"""Several labels for each text: found, learned as a plain script learns them, decided by tuned thresholds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import DataError, InputError
from adapt_core.testing.cards import python_of

from .plain_problems import train
from .topics import TOPICS, in_columns, labelled, uncertain, write

Run = Callable[..., Any]
METRICS = ["macro_f1", "micro_f1", "mAP", "subset_accuracy"]
AS_THE_SCRIPT = {"GROUP_BY_LENGTH": False, "EPOCHS": 2, "LOGGING_STEPS": 1, "MAX_TRAIN_SAMPLES": None}


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 training and 37 validation texts with lists of labels, some of them empty."""
    splits = {"train": labelled(64), "validation": labelled(37, seed=1), "test": labelled(20, seed=2)}
    return write(tmp_path_factory.mktemp("lists"), **splits)


@pytest.fixture
def learn(run: Run, lists: Path) -> Run:
    """Runs the small config on texts with lists of labels."""

    def run_on(data: Path = lists, **changes: Any) -> Any:
        return run(CUSTOM_DATASET_PATH=str(data), MAX_EVAL_SAMPLES=None, **changes)

    return run_on


def training_losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


def one_hot(labels: list[str]) -> list[float]:
    return [float(topic in labels) for topic in TOPICS]


def test_lists_are_several_labels(learn: Run) -> None:
    result = learn()
    assert result.data["problem_type"] == "multi_label (column 'label' has lists)"
    assert result.data["labels"] == 3
    for moment in ("before", "after", "test"):
        assert set(result.metrics[moment]) == {"loss", *METRICS}


def test_lists_texts_and_columns_teach_the_same(learn: Run, tmp_path: Path) -> None:
    rows = {"train": labelled(64), "validation": labelled(37, seed=1)}
    forms = {
        "lists": (rows, {}),
        "texts": (
            {name: [{**row, "label": " | ".join(row["label"])} for row in own] for name, own in rows.items()},
            {"problem_type": "multi_label"},
        ),
        "columns": ({name: in_columns(own) for name, own in rows.items()}, {"target_columns": list(TOPICS)}),
    }
    losses = {}
    for name, (splits, keys) in forms.items():
        result = learn(write(tmp_path / name, **splits), OUTPUT_DIR=str(tmp_path / f"run-{name}"), **keys)
        losses[name] = (training_losses(tmp_path / f"run-{name}"), result.metrics["after"])
        assert str(result.data["problem_type"]).startswith("multi_label")
    assert losses["lists"] == losses["texts"] == losses["columns"]


def test_texts_are_one_label_where_no_key_says_otherwise(learn: Run, tmp_path: Path) -> None:
    rows = [{**row, "label": ",".join(row["label"]) or "none"} for row in labelled(64)]
    result = learn(write(tmp_path / "texts", train=rows, validation=rows))
    assert "problem_type" not in result.data
    assert result.data["classes"] == len({row["label"] for row in rows})


@pytest.mark.parametrize("lora", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_losses_equal_a_plain_script_s(learn: Run, lists: Path, tiny_encoder: Path, tmp_path: Path, lora: bool) -> None:
    if lora:
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    keys = {"method": "LoRA", "r": 8, "alpha": 16, "dropout": 0, "target_modules": ["query", "value"]} if lora else {}
    learn(**AS_THE_SCRIPT, **keys)
    kind = "multi_label_classification"
    expected = train(tiny_encoder, lists, tmp_path / "plain", one_hot, 3, problem_type=kind, lora=lora)
    assert training_losses(tmp_path / "run") == pytest.approx(expected, abs=1e-6)


def test_the_thresholds_are_kept_and_used_by_predictions_and_the_card(
    learn: Run, tmp_path: Path, python: Callable[..., Any]
) -> None:
    learn(EPOCHS=6)
    folder = tmp_path / "run"
    config = json.loads((folder / "model" / "config.json").read_text("utf-8"))
    assert config["problem_type"] == "multi_label_classification"
    recorded = json.loads((folder / "evaluation.json").read_text("utf-8"))["after"]["per_class"]
    assert config["thresholds"] == recorded["figures"]["threshold"]
    assert config["thresholds"] != [0.5, 0.5, 0.5]
    [found] = adapt_core.predict(folder, ["A text to classify."])
    given = [
        n for n, least in zip(recorded["labels"], config["thresholds"], strict=True) if found["scores"][n] >= least
    ]
    assert sorted(found["labels"]) == sorted(given)
    done = python(f"{python_of(folder / 'README.md')}\nprint(sorted(found))", folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sorted(found["labels"]))
    adapt_core.export(folder, save_method="state_dict", output=tmp_path / "exported")
    assert json.loads((tmp_path / "exported" / "config.json").read_text("utf-8"))["thresholds"] == config["thresholds"]


def test_the_test_split_is_scored_with_the_thresholds_of_validation(learn: Run, tmp_path: Path) -> None:
    from sklearn.metrics import f1_score

    result = learn(EPOCHS=6)
    rows = labelled(20, seed=2)
    found = adapt_core.predict(tmp_path / "run", [row["text"] for row in rows])
    truth, given = (
        [one_hot(labels) for labels in each]
        for each in ([row["label"] for row in rows], [row["labels"] for row in found])
    )
    assert result.metrics["test"]["macro_f1"] == pytest.approx(f1_score(truth, given, average="macro"), abs=1e-6)


@pytest.mark.slow
def test_tuned_thresholds_beat_the_best_single_one_on_the_test_split(learn: Run, tmp_path: Path) -> None:
    import numpy
    from sklearn.metrics import f1_score

    splits = {"train": uncertain(600), "validation": uncertain(600, seed=1), "test": uncertain(1500, seed=2)}
    keys = {"MAX_TRAIN_SAMPLES": None, "EPOCHS": 4, "BATCH_SIZE": 32, "LR": 0.003}
    result = learn(write(tmp_path / "uncertain", **splits), **keys)
    found = adapt_core.predict(tmp_path / "run", [row["text"] for row in splits["test"]])
    names = ("loans", "tools")
    scores = numpy.array([[row["scores"][name] for name in names] for row in found])
    truth = numpy.array([[name in row["label"] for name in names] for row in splits["test"]])
    single = [f1_score(truth, scores >= least, average="macro") for least in numpy.linspace(0.01, 0.99, 99)]
    assert result.metrics["test"]["macro_f1"] > max(single) + 0.03  # though it was chosen on the very rows scored


@pytest.mark.parametrize("weights", ["balanced", {"loans": 1.0, "rooms": 1.0, "tools": 9.0}])
def test_class_weights_weigh_the_rows_that_have_a_label(learn: Run, weights: Any) -> None:
    plain, weighted = learn(), learn(CLASS_WEIGHTS=weights, OVERWRITE_OUTPUT_DIR=True)
    assert weighted.metrics["before"]["loss"] != plain.metrics["before"]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "base"),
    [("last_layer", {}), ("LoRA", {}), ("DoRA", {}), ("SSF", {}), ("LoRA", {"load_in_8bit": True})],
)
def test_every_method_keeps_labels_and_thresholds(
    learn: Run, tmp_path: Path, method: str, base: dict[str, Any]
) -> None:
    if method != "last_layer":
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    adapters = {} if method == "last_layer" else {"MERGE_ADAPTER": False}
    result = learn(method=method, EPOCHS=2, **adapters, **base)
    assert result.training_check["verdict"] == "learned"
    texts = ["borrow a book", "use the saw"]
    found = adapt_core.predict(tmp_path / "run", texts)
    assert [set(row) for row in found] == [{"text", "labels", "scores"}] * 2
    if adapters:
        kept = json.loads((tmp_path / "run" / "adapter" / "data.json").read_text("utf-8"))["facts"]
        assert len(kept["thresholds"]) == 3
        for row in found:
            least = dict(zip(TOPICS, kept["thresholds"], strict=True))
            assert set(row["labels"]) == {name for name, score in row["scores"].items() if score >= least[name]}


BAD = {
    "an unknown label": (
        "validation",
        ["saws"],
        r"label 'saws' never occurs in the training split \(loans, rooms, tools\)",
    ),
    "a label twice": ("train", ["tools", "tools"], "label 'tools' stands there twice"),
    "no list": ("train", None, r"the labels are missing \(null\); an empty list says that a row has none"),
    "a nested list": ("train", [["tools"]], r"label \['tools'\] is not usable"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_labels_are_told_with_their_line(learn: Run, tmp_path: Path, case: str) -> None:
    split, label, message = BAD[case]
    splits = {"train": labelled(8), "validation": labelled(8)}
    splits[split][2]["label"] = label
    with pytest.raises(DataError, match=rf"{split} row 3: {message}.*{split}.jsonl:3"):
        learn(write(tmp_path / "bad", **splits))


@pytest.mark.parametrize(("cell", "told"), [(2, "is 2, not 0 or 1"), (None, r"is missing \(null\), not 0 or 1")])
def test_a_cell_of_a_label_s_column_is_0_or_1(learn: Run, tmp_path: Path, cell: Any, told: str) -> None:
    rows = in_columns(labelled(8))
    rows[2]["rooms"] = cell
    keys = {"target_columns": list(TOPICS), "problem_type": "multi_label"}
    with pytest.raises(DataError, match=rf"train row 3: column 'rooms' {told}.*train.jsonl:3"):
        learn(write(tmp_path / "bad", train=rows, validation=rows), **keys)


def test_columns_that_are_neither_labels_nor_amounts_are_not_guessed(learn: Run, tmp_path: Path) -> None:
    rows = in_columns(labelled(8))
    rows[2]["rooms"] = 0.5
    with pytest.raises(DataError, match=r"row 3: column 'rooms' is 0.5, neither 0 nor 1.*problem_type: multi_label or"):
        learn(write(tmp_path / "bad", train=rows, validation=rows), target_columns=list(TOPICS))


def test_an_ambiguous_separator_is_asked_for(learn: Run, tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "loans|rooms"}, {"text": "b", "label": "tools, new"}]
    data = write(tmp_path / "texts", train=rows * 4, validation=rows)
    with pytest.raises(
        DataError, match=r"not clear: '\|' \(in 'loans\|rooms'\) and ',' \(in 'tools, new'\).*label_separator"
    ):
        learn(data, problem_type="multi_label")
    assert learn(data, label_separator="|").data["labels"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_columns": ["a", "b"], "target_column": "c"}, "target_column and target_columns are both given"),
        ({"target_columns": ["a", "a"]}, "names a twice"),
        ({"target_columns": ["a", "b"], "problem_type": "single_label"}, "Name one target_column"),
        ({"label_separator": "|", "problem_type": "regression"}, "Leave one of them out"),
        ({"label_separator": "|", "target_columns": ["a", "b"]}, "Leave one of them out"),
        ({"CLASS_WEIGHTS": "balanced", "problem_type": "regression"}, "CLASS_WEIGHTS weighs labels"),
        ({"problem_type": "multi_label", "subtask": "ner"}, "problem_type is for labels and numbers of whole texts"),
        ({"problem_type": "multi_label", "METRIC_FOR_BEST": "accuracy"}, "this run reports loss, macro_f1"),
        ({"METRIC_FOR_BEST": "rmse"}, "this run reports loss, macro_f1"),
    ],
)
def test_keys_that_contradict_are_refused(learn: Run, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        learn(**changes)
