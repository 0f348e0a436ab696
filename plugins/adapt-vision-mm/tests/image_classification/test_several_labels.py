"""Several labels, and numbers, for each image."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import DataError, InputError
from adapt_core.testing.cards import python_of

from ..conftest import Keys
from ..pictures import COLOURS

LABELS = {"blue": ["cold"], "green": ["plant", "cold"], "red": []}
WARMTH = {"blue": -1.5, "green": -0.25, "red": 2.5}
NAMES = ("cold", "plant")
METRICS = {"loss", "macro_f1", "micro_f1", "mAP", "subset_accuracy"}


def rows_of(pictures: Path, split: str) -> list[Keys]:
    """A row for each picture: its path, its labels, and its warmth."""
    files = ((name, file) for name in COLOURS for file in sorted((pictures / split / name).glob("*.jpg")))
    return [{"image": str(file), "label": LABELS[name], "warmth": WARMTH[name]} for name, file in files]


@pytest.fixture
def table(pictures: Path, tmp_path: Path) -> Path:
    """A table of the pictures."""
    return write(tmp_path / "table", rows_of(pictures, "train"), rows_of(pictures, "val"))


def write(folder: Path, train: list[Keys], validation: list[Keys]) -> Path:
    folder.mkdir()
    for name, rows in (("train", train), ("validation", validation)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture
def keys_of(keys: Keys, hf_keys: Keys, table: Path) -> dict[str, Keys]:
    """Each library's config on the table."""
    return {name: {**own, "CUSTOM_DATASET_PATH": str(table)} for name, own in (("timm", keys), ("hf", hf_keys))}


@pytest.mark.parametrize("library", ["timm", "hf"])
def test_labels_and_thresholds_are_learned_saved_and_said_by_the_card(
    keys_of: dict[str, Keys], pictures: Path, python: Callable[..., Any], tmp_path: Path, library: str
) -> None:
    result = adapt_core.run({**keys_of[library], "EPOCHS": 4, "augmentation": False})
    assert result.data["problem_type"] == "multi_label (column 'label' has lists)"
    assert set(result.metrics["after"]) == METRICS
    run = tmp_path / "run"
    config = json.loads((run / "model" / "config.json").read_text(encoding="utf-8"))
    figures = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["after"]["per_class"]["figures"]
    assert config["thresholds"] == figures["threshold"]
    photo = pictures / "val" / "green" / "1.jpg"
    [found] = adapt_core.predict(run, [str(photo)])
    assert set(found) == {"image", "labels", "scores", "drawn"}
    least = dict(zip(NAMES, config["thresholds"], strict=True))
    assert set(found["labels"]) == {name for name in NAMES if found["scores"][name] >= least[name]}
    lines = python_of(run / "README.md")
    lines = re.sub(
        r"^# (?=from |import |photo = |inputs = |config = |scores = |found = )", "", lines, flags=re.MULTILINE
    )
    source = lines.replace("photo.jpg", str(photo))
    done = python(f"{source}\nprint(sorted(found))", folder=run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sorted(found["labels"]))
    again = tmp_path / "exported"
    adapt_core.export(run, save_method="state_dict", output=again)
    assert json.loads((again / "config.json").read_text(encoding="utf-8"))["thresholds"] == config["thresholds"]


def test_losses_equal_a_plain_script_s(keys_of: dict[str, Keys], tiny_vit: Path, table: Path, tmp_path: Path) -> None:
    adapt_core.run({**keys_of["hf"], "EPOCHS": 2, "LOGGING_STEPS": 1, "augmentation": False})
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    losses = [line["loss"] for line in lines if line["phase"] == "train"]
    assert losses == pytest.approx(_plain(tiny_vit, table, tmp_path / "plain"), abs=1e-6)


def _plain(model_path: Path, table: Path, folder: Path) -> list[float]:
    """The training losses of transformers alone."""
    import torch
    from PIL import Image
    from transformers import (
        AutoImageProcessor,
        AutoModelForImageClassification,
        Trainer,
        TrainingArguments,
        default_data_collator,
        set_seed,
    )

    rows = [json.loads(line) for line in (table / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    processor = AutoImageProcessor.from_pretrained(model_path)
    examples = [
        {
            "pixel_values": processor(Image.open(row["image"]).convert("RGB"), return_tensors="pt")["pixel_values"][0],
            "labels": torch.tensor([float(name in row["label"]) for name in NAMES]),
        }
        for row in rows
    ]
    set_seed(42)
    model = AutoModelForImageClassification.from_pretrained(
        model_path, num_labels=2, problem_type="multi_label_classification", ignore_mismatched_sizes=True
    )
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=2,
        per_device_train_batch_size=8,
        learning_rate=0.003,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
        disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=examples, data_collator=default_data_collator)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("library", ["timm", pytest.param("hf", marks=pytest.mark.slow)])
def test_numbers_are_learned(keys_of: dict[str, Keys], pictures: Path, tmp_path: Path, library: str) -> None:
    keys = {**keys_of[library], "target_column": "warmth", "EPOCHS": 4, "augmentation": False}
    result = adapt_core.run(keys)
    assert set(result.metrics["after"]) == {"loss", "rmse", "mse", "mae", "r2", "pearson", "spearman"}
    assert result.metrics["after"]["loss"] == pytest.approx(result.metrics["after"]["mse"], rel=1e-5)
    [found] = adapt_core.predict(tmp_path / "run", [str(pictures / "val" / "red" / "1.jpg")])
    assert set(found["values"]) == {"warmth"}
    assert json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))["problem_type"] == "regression"


@pytest.mark.slow
@pytest.mark.parametrize("library", ["timm", "hf"])
@pytest.mark.parametrize("method", ["last_layer", "LoRA", "SSF"])
def test_methods_keep_thresholds(
    keys_of: dict[str, Keys], pictures: Path, tmp_path: Path, method: str, library: str
) -> None:
    if method != "last_layer":
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    keys = {**keys_of[library], "method": method, "augmentation": False}
    adapt_core.run({**keys, **({} if method == "last_layer" else {"MERGE_ADAPTER": False})})
    run = tmp_path / "run"
    figures = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["after"]["per_class"]["figures"]
    [found] = adapt_core.predict(run, [str(pictures / "val" / "green" / "1.jpg")])
    least = dict(zip(NAMES, figures["threshold"], strict=True))
    assert set(found["labels"]) == {name for name in NAMES if found["scores"][name] >= least[name]}


def test_a_bad_label_is_told_with_image_and_line(keys_of: dict[str, Keys], pictures: Path, tmp_path: Path) -> None:
    rows = rows_of(pictures, "val")
    rows[2]["label"] = ["warm"]
    keys_of["hf"]["CUSTOM_DATASET_PATH"] = str(write(tmp_path / "bad", rows_of(pictures, "train"), rows))
    with pytest.raises(DataError, match=r"validation row 3: .*2.jpg: label 'warm' never occurs.*validation.jsonl:3"):
        adapt_core.run(keys_of["hf"])


@pytest.mark.parametrize("changes", [{"problem_type": "multi_label"}, {"target_columns": ["a", "b"]}])
def test_class_folders_give_one_label(run: Callable[..., Any], changes: Keys) -> None:
    with pytest.raises(InputError, match="holds class folders, which give each image one label"):
        run(**changes)
