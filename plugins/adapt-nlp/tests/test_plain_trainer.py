"""A run of adapt gives the very losses and metrics of a hand-written Trainer script."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def plain_script(
    model_path: Path, data: Path, folder: Path, rows: int, last_layer: bool
) -> tuple[list[float], dict[str, float]]:
    """What a careful user of transformers writes without adapt: training losses, and final evaluation metrics."""
    from datasets import load_dataset
    from sklearn.metrics import accuracy_score, f1_score
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    files = {"train": str(data / "train.jsonl"), "validation": str(data / "validation.jsonl")}
    raw = load_dataset("json", data_files=files)
    names = sorted(set(raw["train"]["label"]))
    tokenizer = AutoTokenizer.from_pretrained(model_path)

    def encode(batch: dict[str, Any]) -> dict[str, Any]:
        encoded = tokenizer(batch["text"], truncation=True, max_length=128)
        return {**encoded, "labels": [names.index(label) for label in batch["label"]]}

    ready = raw.map(encode, batched=True, remove_columns=["text", "label"])
    set_seed(42)
    model = AutoModelForSequenceClassification.from_pretrained(model_path, num_labels=len(names))
    if last_layer:
        model.requires_grad_(False)
        model.classifier.requires_grad_(True)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=16,
        per_device_eval_batch_size=16,
        num_train_epochs=2,
        learning_rate=0.01,
        eval_strategy="epoch",
        save_strategy="no",
        logging_steps=1,
        seed=42,
        use_cpu=True,
        disable_tqdm=True,
        report_to=[],
    )

    def metrics(prediction: Any) -> dict[str, float]:
        predicted = prediction.predictions.argmax(-1)
        return {
            "accuracy": accuracy_score(prediction.label_ids, predicted),
            "macro_f1": f1_score(prediction.label_ids, predicted, average="macro"),
        }

    trainer = Trainer(
        model=model,
        args=arguments,
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=ready["train"],
        eval_dataset=ready["validation"],
        compute_metrics=metrics,
    )
    trainer.train()
    history = trainer.state.log_history
    losses = [entry["loss"] for entry in history if "loss" in entry]
    final = [entry for entry in history if "eval_loss" in entry][-1]
    return losses, {name: final[f"eval_{name}"] for name in ("loss", "accuracy", "macro_f1")}


@pytest.mark.parametrize("method", ["full", "last_layer"])
def test_losses_and_metrics_equal_a_plain_trainer_s(
    run: Callable[..., Any], tiny_encoder: Path, inbox: Path, tmp_path: Path, method: str
) -> None:
    losses, metrics = plain_script(tiny_encoder, inbox, tmp_path / "plain", 64, method == "last_layer")
    result = run(
        method=method,
        EPOCHS=2,
        LOGGING_STEPS=1,
        MAX_TRAIN_SAMPLES=None,
        MAX_EVAL_SAMPLES=None,
        max_seq_length=128,
    )
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines if line["phase"] == "train"] == pytest.approx(losses, abs=1e-6)
    assert result.metrics["after"] == pytest.approx(metrics, abs=1e-6)
