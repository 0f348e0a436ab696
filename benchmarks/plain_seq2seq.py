"""Translation by transformers alone: what a careful user writes without adapt, with the same phases.

Load, tokenize, evaluate by generating, train with an evaluation and a checkpoint each epoch. Run as a script it prints
one JSON object: training losses, metrics before and after, and the seconds of the training phase.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy
from datasets import disable_progress_bars, load_dataset
from sacrebleu import corpus_bleu
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    set_seed,
)


def train(
    model_path: str,
    data: Path,
    folder: Path,
    *,
    epochs: float,
    lr: float,
    prefix: str = "",
    max_input_length: int = 128,
    max_target_length: int = 128,
    source_lang: str = "en",
    target_lang: str = "ro",
    batch_size: int = 16,
    logging_steps: int = 10,
) -> dict[str, Any]:
    """Adapts a model to a folder's train.jsonl and validation.jsonl with `translation`, seed 42."""
    disable_progress_bars()
    files = {split: str(data / f"{split}.jsonl") for split in ("train", "validation")}
    raw = load_dataset("json", data_files=files)
    tokenizer = AutoTokenizer.from_pretrained(model_path)

    def encode(batch: dict[str, Any]) -> dict[str, Any]:
        sources = [prefix + pair[source_lang] for pair in batch["translation"]]
        targets = [pair[target_lang] for pair in batch["translation"]]
        encoded = tokenizer(sources, max_length=max_input_length, truncation=True)
        labels = tokenizer(text_target=targets, max_length=max_target_length, truncation=True)
        return {
            "input_ids": encoded["input_ids"],
            "attention_mask": encoded["attention_mask"],
            "labels": labels["input_ids"],
        }

    ready = raw.map(encode, batched=True, remove_columns=["translation"])

    def metrics(prediction: Any) -> dict[str, float]:
        texts = []
        for ids in (prediction.predictions, prediction.label_ids):
            plain = numpy.where(ids < 0, tokenizer.pad_token_id, ids)
            texts.append([text.strip() for text in tokenizer.batch_decode(plain, skip_special_tokens=True)])
        return {"sacrebleu": corpus_bleu(texts[0], [texts[1]]).score}

    set_seed(42)
    model = AutoModelForSeq2SeqLM.from_pretrained(model_path)
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=batch_size,
        per_device_eval_batch_size=batch_size,
        num_train_epochs=epochs,
        learning_rate=lr,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_steps=logging_steps,
        train_sampling_strategy="group_by_length",
        predict_with_generate=True,
        generation_max_length=max_target_length,
        optim="adamw_torch",
        seed=42,
        use_cpu=True,
        disable_tqdm=True,
        report_to=[],
    )
    trainer = Seq2SeqTrainer(
        model=model,
        args=arguments,
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model),
        train_dataset=ready["train"],
        eval_dataset=ready["validation"],
        processing_class=tokenizer,
        compute_metrics=metrics,
    )
    before = trainer.evaluate()
    set_seed(42)
    outcome = trainer.train()
    history = trainer.state.log_history
    after = [entry for entry in history if "eval_loss" in entry][-1]
    names = ("loss", "sacrebleu")
    return {
        "losses": [entry["loss"] for entry in history if "loss" in entry],
        "before": {name: before[f"eval_{name}"] for name in names},
        "after": {name: after[f"eval_{name}"] for name in names},
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
