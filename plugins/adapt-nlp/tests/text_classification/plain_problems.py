"""Several labels and numbers of texts by transformers and peft alone, as a user would write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.plain.phases import SEED, common_arguments, rows_of


def train(
    model_path: Path, data: Path, folder: Path, encode: Callable[[Any], list[float]], count: int, **options: Any
) -> list[float]:
    """Train for two epochs and return the training losses, a step each.

    Args:
        model_path: a BERT.
        data: folder of jsonl with `text` and `label`.
        folder: for checkpoints.
        encode: a label of the data -> the floats that are learned.
        count: how many.
        options: `problem_type`, and `lora` for an adapter.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    tokenizer = AutoTokenizer.from_pretrained(model_path)

    def prepare(batch: dict[str, Any]) -> dict[str, Any]:
        return {**tokenizer(batch["text"], truncation=True), "labels": [encode(label) for label in batch["label"]]}

    rows = rows_of(data).map(prepare, batched=True, remove_columns=["text", "label"])
    set_seed(SEED)
    model = AutoModelForSequenceClassification.from_pretrained(
        model_path, num_labels=count, problem_type=options["problem_type"]
    )
    if options.get("lora"):
        from peft import LoraConfig, get_peft_model

        settings = {"r": 8, "lora_alpha": 16, "target_modules": ["query", "value"], "lora_dropout": 0.0}
        model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", **settings))
    arguments = common_arguments(folder, epochs=2, lr=0.01, batch_size=16, logging_steps=1)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(**{**arguments, "eval_strategy": "no", "save_strategy": "no"}),
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=rows["train"],
        processing_class=tokenizer,
    )
    set_seed(SEED)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
