"""Text classification by transformers alone: what a careful user writes without adapt, with the same phases.

Load, tokenize, evaluate, train with an evaluation and a checkpoint each epoch, save. Run as a script it prints one JSON
object: training losses, metrics before and after, and the seconds of the training phase.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy
from datasets import disable_progress_bars, load_dataset
from sklearn.metrics import accuracy_score, f1_score
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

METRICS = ("loss", "accuracy", "macro_f1")


def metrics(prediction: Any) -> dict[str, float]:
    """Accuracy and macro-F1 of class ids."""
    return {
        "accuracy": accuracy_score(prediction.label_ids, prediction.predictions),
        "macro_f1": f1_score(prediction.label_ids, prediction.predictions, average="macro", zero_division=0.0),
    }


def train(
    model_path: str,
    data: Path,
    folder: Path,
    *,
    last_layer: bool,
    epochs: float,
    lr: float,
    max_length: int,
    max_train: int | None = None,
    max_eval: int | None = None,
    logging_steps: int = 10,
) -> dict[str, Any]:
    """Adapts a model to a folder's train.* and validation.* files with `text` and `label`, seed 42."""
    disable_progress_bars()
    suffix = next(data.glob("train.*")).suffix
    files = {split: str(data / f"{split}{suffix}") for split in ("train", "validation")}
    raw = load_dataset({".csv": "csv", ".jsonl": "json"}[suffix], data_files=files)
    names = sorted(set(raw["train"]["label"]))
    for split, rows in (("train", max_train), ("validation", max_eval)):
        if rows is not None and rows < len(raw[split]):
            chosen = numpy.random.default_rng(42).choice(len(raw[split]), size=rows, replace=False)
            raw[split] = raw[split].select(sorted(chosen.tolist()))
    tokenizer = AutoTokenizer.from_pretrained(model_path)

    def encode(batch: dict[str, Any]) -> dict[str, Any]:
        encoded = tokenizer(batch["text"], truncation=True, max_length=max_length)
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
        num_train_epochs=epochs,
        learning_rate=lr,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_steps=logging_steps,
        seed=42,
        use_cpu=True,
        disable_tqdm=True,
        report_to=[],
    )

    def make_trainer() -> Trainer:
        return Trainer(
            model=model,
            args=arguments,
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=ready["train"],
            eval_dataset=ready["validation"],
            processing_class=tokenizer,
            compute_metrics=metrics,
            preprocess_logits_for_metrics=lambda logits, _: logits.argmax(dim=-1),
        )

    # Two trainers: under torchrun one that has evaluated takes its model for wrapped, and each process trains alone.
    before = make_trainer().evaluate()
    trainer = make_trainer()
    set_seed(42)
    outcome = trainer.train()
    trainer.save_model(str(folder / "model"))
    history = trainer.state.log_history
    after = [entry for entry in history if "eval_loss" in entry][-1]
    return {
        "losses": [entry["loss"] for entry in history if "loss" in entry],
        "before": {name: before[f"eval_{name}"] for name in METRICS},
        "after": {name: after[f"eval_{name}"] for name in METRICS},
        "train_seconds": outcome.metrics["train_runtime"],
    }


def main() -> None:
    """The command line: one JSON object of `train`'s keyword arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_path")
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("settings", type=json.loads)
    given = parser.parse_args()
    print(json.dumps(train(given.model_path, given.data, given.folder, **given.settings)))


if __name__ == "__main__":
    main()
