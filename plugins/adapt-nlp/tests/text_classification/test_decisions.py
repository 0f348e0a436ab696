"""One label for each text: scores are probabilities, and texts of low confidence get no label where that is wanted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError
from adapt_core.testing.cards import python_of

from .topics import Row, labelled, write

Run = Callable[..., Any]

SURE, DOUBTFUL = "borrow a book", "use the saw"


def doubtful(count: int, seed: int = 0, likely: tuple[float, float] = (0.98, 0.7)) -> list[Row]:
    """Return rows of two labels: a share of the sure texts has the label "a", and one of the doubtful texts."""
    chosen = random.Random(seed)
    rows = []
    for number in range(count):
        doubt = chosen.random() < 0.5
        words = DOUBTFUL if doubt else SURE
        extra = " ".join(chosen.sample(["today", "please", "again", "soon", "now", "late"], 3))
        rows.append({"text": f"{words} {extra} {number % 7}", "label": "a" if chosen.random() < likely[doubt] else "b"})
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training texts of which the model learns to be surer than it may be of others."""
    splits = {"train": doubtful(480, likely=(1.0, 0.93)), "validation": doubtful(600, 1), "test": doubtful(900, 2)}
    return write(tmp_path_factory.mktemp("doubtful"), **splits)


@pytest.fixture(scope="module")
def sure_of_itself(small: dict[str, Any], data: Path) -> dict[str, Any]:
    """The small config on them until the model is too sure of itself."""
    keys = {"MAX_TRAIN_SAMPLES": None, "MAX_EVAL_SAMPLES": None, "EPOCHS": 25, "INTERVAL": "no", "BATCH_SIZE": 20}
    return {**small, "CUSTOM_DATASET_PATH": str(data), "EVAL_BATCH_SIZE": 100, **keys}


@pytest.fixture
def learn(run: Run, sure_of_itself: dict[str, Any]) -> Run:
    """Runs that config with changes."""

    def run_on(**changes: Any) -> Any:
        return run(**{**sure_of_itself, **changes})

    return run_on


@pytest.fixture(scope="module")
def abstaining(sure_of_itself: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The result of a run of it that abstains below a precision of 0.9."""
    folder = tmp_path_factory.mktemp("abstaining") / "run"
    keys = {"ABSTAIN_PRECISION": 0.9, "SAVE_METHOD": "save_pretrained", "OUTPUT_DIR": str(folder)}
    return adapt_core.run({**sure_of_itself, **keys})


def test_scores_are_probabilities_on_texts_that_were_never_seen(learn: Run, data: Path, tmp_path: Path) -> None:
    metrics = pytest.importorskip("torchmetrics.functional.classification")
    torch = pytest.importorskip("torch")
    result = learn()
    found = result.decisions["calibration"]
    assert found["temperature"] > 1.2
    assert not found["reason"]
    for split, rows in (("validation", 600), ("test", 900)):
        assert found[split]["rows"] == rows
        assert found[split]["after"]["ece"] < 0.7 * found[split]["before"]["ece"]
        assert found[split]["after"]["nll"] < found[split]["before"]["nll"]
        assert sum(each["rows"] for each in found[split]["after"]["bins"]) == rows
    assert found["test"]["before"]["nll"] == pytest.approx(result.metrics["test"]["loss"], abs=1e-4)

    rows = doubtful(900, 2)
    predictions = adapt_core.predict(tmp_path / "run", [row["text"] for row in rows])
    right = [one["label"] == row["label"] for one, row in zip(predictions, rows, strict=True)]
    scores = torch.tensor([one["score"] for one in predictions])
    expected = metrics.binary_calibration_error(scores, torch.tensor(right).int(), n_bins=15)  # of "is it right"
    assert found["test"]["after"]["ece"] == pytest.approx(float(expected), abs=1e-3)

    kept = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "run" / "predictions.parquet").to_pydict()
    told = adapt_core.predict(tmp_path / "run", [row["text"] for row in doubtful(600, 1)[:20]])
    assert kept["confidence"][:20] == pytest.approx([one["score"] for one in told], abs=1e-4)


def test_no_label_changes(learn: Run, tmp_path: Path) -> None:
    results = {name: learn(CALIBRATE=name == "on", OUTPUT_DIR=str(tmp_path / name)) for name in ("on", "off")}
    assert results["on"].metrics == results["off"].metrics
    assert results["off"].decisions == {}
    assert "calibration_temperature" not in json.loads((tmp_path / "off" / "model" / "config.json").read_text("utf-8"))
    texts = [row["text"] for row in doubtful(50, 3)]
    on, off = (adapt_core.predict(tmp_path / name, texts) for name in ("on", "off"))
    assert [one["label"] for one in on] == [one["label"] for one in off]
    assert [one["score"] for one in on] != [one["score"] for one in off]


def test_the_lines_of_the_card_give_the_same_score_without_adapt(abstaining: Any, python: Callable[..., Any]) -> None:
    folder = Path(abstaining.output_dir)
    config = json.loads((folder / "model" / "config.json").read_text("utf-8"))
    assert config["calibration_temperature"] == abstaining.decisions["calibration"]["temperature"]
    assert config["abstain_below"] == abstaining.decisions["abstain"]["least_confidence"]
    blocked = "import sys\nfor name in ('adapt_core', 'adapt_nlp'):\n    sys.modules[name] = None\n"
    lines = python_of(folder / "README.md")
    for text in ("A text to classify.", f"{SURE} today please now 3", f"{DOUBTFUL} soon now late 1"):
        program = f"{blocked}{lines.replace('A text to classify.', text)}\nprint(label, round(float(score), 4))"
        done = python(program, folder=folder)
        assert done.returncode == 0, done.stderr
        [found] = adapt_core.predict(folder, [text])
        assert done.stdout.split() == [str(found["label"]), str(round(found["score"], 4))]


def test_a_plain_pipeline_still_classifies(abstaining: Any) -> None:
    transformers = pytest.importorskip("transformers")
    found = transformers.pipeline("text-classification", str(Path(abstaining.output_dir) / "model"))([f"{SURE} today"])
    assert found[0]["label"] == "a"


def test_answered_texts_have_the_wanted_precision(abstaining: Any) -> None:
    abstain = abstaining.decisions["abstain"]
    rows = doubtful(900, 2)
    predictions = adapt_core.predict(abstaining.output_dir, [row["text"] for row in rows])
    answered = [(one, row) for one, row in zip(predictions, rows, strict=True) if not one["abstained"]]
    assert all(one["label"] == one["would_be"] for one, _ in answered)
    assert all(one["label"] is None and one["would_be"] for one in predictions if one["abstained"])
    assert {one["abstained"] for one in predictions} == {True, False}
    precision = sum(one["label"] == row["label"] for one, row in answered) / len(answered)
    assert precision >= 0.9
    assert abstain["test"]["precision"] == pytest.approx(precision, abs=2e-3)
    assert abstain["test"]["coverage"] == pytest.approx(len(answered) / 900, abs=5e-3)
    assert abstain["test"]["low"] < precision < abstain["test"]["high"]


def test_a_precision_that_the_rows_do_not_show_is_told(learn: Run, tmp_path: Path) -> None:
    result = learn(ABSTAIN_PRECISION=0.999)
    assert result.decisions["abstain"]["least_confidence"] is None
    assert any("ABSTAIN_PRECISION 0.999: the 600 validation rows" in warning for warning in result.warnings)
    [found] = adapt_core.predict(tmp_path / "run", ["A text."])
    assert set(found) == {"text", "label", "score"}


def test_few_validation_texts_leave_scores_as_they_are(learn: Run, tmp_path: Path) -> None:
    result = learn(MAX_EVAL_SAMPLES=30, EPOCHS=1)
    found = result.decisions["calibration"]
    assert found["temperature"] == 1
    assert "30 validation rows are too few" in found["reason"]
    assert "calibration_temperature" not in json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))
    assert found["test"]["after"] == found["test"]["before"]


def test_a_model_that_is_not_trained_is_calibrated_too(learn: Run, abstaining: Any) -> None:
    again = learn(MODEL_PATH=str(Path(abstaining.output_dir) / "model"), DO_TRAIN=False)
    first = abstaining.decisions["calibration"]
    assert again.decisions["calibration"]["temperature"] == pytest.approx(first["temperature"], rel=1e-6)


def test_an_adapter_and_exports_keep_the_decisions(learn: Run, tmp_path: Path) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    keys = {"method": "LoRA", "r": 8, "alpha": 64, "target_modules": ["query", "value"], "LR": 0.02, "EPOCHS": 40}
    learn(MERGE_ADAPTER=False, ABSTAIN_PRECISION=0.9, **keys)
    facts = json.loads((tmp_path / "run" / "adapter" / "data.json").read_text("utf-8"))["facts"]
    assert facts["calibration_temperature"] != 1
    adapt_core.export(tmp_path / "run", save_method="safetensors", output=tmp_path / "exported")
    kept = json.loads((tmp_path / "exported" / "config.json").read_text("utf-8"))
    for name in ("calibration_temperature", "abstain_below"):
        assert kept[name] == facts[name]
    [found] = adapt_core.predict(tmp_path / "run", [f"{DOUBTFUL} today"])
    assert "abstained" in found


@pytest.mark.slow
def test_a_resumed_run_decides_as_one_that_was_not_interrupted(learn: Run, tmp_path: Path) -> None:
    import shutil

    keys = {"INTERVAL": "epoch", "EPOCHS": 6, "ABSTAIN_PRECISION": 0.9, "NO_OF_CHECKPOINTS": 10, "KEEP": "best"}
    whole = learn(OUTPUT_DIR=str(tmp_path / "whole"), **keys)
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    (tmp_path / "cut" / "result.json").unlink()
    for step in sorted((tmp_path / "cut" / "checkpoints").iterdir(), key=lambda path: path.name)[-2:]:
        shutil.rmtree(step)
    resumed = learn(OUTPUT_DIR=str(tmp_path / "cut"), resume=True, **keys)
    assert resumed.decisions == whole.decisions


def test_the_report_and_the_card_say_what_decides(abstaining: Any) -> None:
    page, card = ((Path(abstaining.output_dir) / name).read_text("utf-8") for name in ("report.html", "README.md"))
    for text in (page, card):
        assert "expected calibration error" in text
        assert "no answer below a confidence of" in text
    assert page.count("share of right rows") >= 2
    assert "over confidence" in page


@pytest.mark.parametrize("known", ["before the data is read", "from the data"])
def test_several_labels_have_no_abstention(run: Run, tmp_path: Path, known: str) -> None:
    folder = write(tmp_path / "lists", train=labelled(40), validation=labelled(20, 1))
    keys = {"problem_type": "multi_label"} if known.startswith("before") else {}
    with pytest.raises(InputError, match=r"ABSTAIN_PRECISION is of one label for each row.*multi_label"):
        run(CUSTOM_DATASET_PATH=str(folder), ABSTAIN_PRECISION=0.9, **keys)


def test_tags_have_no_abstention(run: Run, tmp_path: Path) -> None:
    rows = [{"tokens": ["a", "b"], "ner_tags": ["O", "B-X"]}] * 10
    folder = write(tmp_path / "tags", train=rows, validation=rows)
    with pytest.raises(InputError, match="ABSTAIN_PRECISION is for"):
        run(CUSTOM_DATASET_PATH=str(folder), subtask="ner", ABSTAIN_PRECISION=0.9)
