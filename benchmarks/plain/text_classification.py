"""Text classification by transformers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.metrics import accuracy_score, f1_score
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

from benchmarks.plain.phases import (
    SEED,
    command_line,
    common_arguments,
    evaluated_and_trained,
    rows_of,
    sampled,
    sharded_arguments,
)


def metrics(prediction: Any) -> dict[str, float]:
    """Return accuracy and macro-F1 of class ids."""
    return {
        "accuracy": accuracy_score(prediction.label_ids, prediction.predictions),
        "macro_f1": f1_score(prediction.label_ids, prediction.predictions, average="macro", zero_division=0.0),
    }


def train(
    model_path: str,
    data: Path,
    folder: Path,
    *,
    epochs: float,
    lr: float,
    max_length: int,
    last_layer: bool = False,
    batch_size: int = 16,
    max_train: int | None = None,
    max_eval: int | None = None,
    logging_steps: int = 10,
    sharded_layers: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Fine-tune a model on a folder's train.* and validation.* files with `text` and `label`, seed 42.

    With `sharded_layers` by accelerate's FSDP, without the evaluation before.
    """
    raw = rows_of(data)
    names = sorted(set(raw["train"]["label"]))
    raw = sampled(raw, max_train, max_eval)
    tokenizer = AutoTokenizer.from_pretrained(model_path)

    def encode(batch: dict[str, Any]) -> dict[str, Any]:
        encoded = tokenizer(batch["text"], truncation=True, max_length=max_length)
        return {**encoded, "labels": [names.index(label) for label in batch["label"]]}

    ready = raw.map(encode, batched=True, remove_columns=["text", "label"])
    set_seed(SEED)
    model = AutoModelForSequenceClassification.from_pretrained(model_path, num_labels=len(names))
    if last_layer:
        model.requires_grad_(False)
        model.classifier.requires_grad_(True)
    arguments = TrainingArguments(
        **common_arguments(folder, epochs=epochs, lr=lr, batch_size=batch_size, logging_steps=logging_steps),
        **(sharded_arguments(sharded_layers) if sharded_layers else {}),
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

    names_of_metrics = ("loss", "accuracy", "macro_f1")
    return evaluated_and_trained(make_trainer, folder, names_of_metrics, before_too=not sharded_layers)


if __name__ == "__main__":
    command_line(train)
