"""Tags for words (ner, pos, chunk) by transformers and seqeval alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import seqeval.metrics
from sklearn.metrics import accuracy_score, f1_score
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainingArguments,
    set_seed,
)

from benchmarks.plain.phases import (
    IGNORED,
    SEED,
    WeighsLabels,
    command_line,
    common_arguments,
    evaluated_and_trained,
    rows_of,
    sampled,
)


def entity_scores(truth: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Return seqeval's scores of complete entities, and word accuracy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "f1": seqeval.metrics.f1_score(truth, predicted, zero_division=0),
            "precision": seqeval.metrics.precision_score(truth, predicted, zero_division=0),
            "recall": seqeval.metrics.recall_score(truth, predicted, zero_division=0),
            "accuracy": seqeval.metrics.accuracy_score(truth, predicted),
        }


def word_scores(truth: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Return accuracy and macro-F1 of words."""
    flat_truth, flat_predicted = ([tag for row in rows for tag in row] for rows in (truth, predicted))
    return {
        "accuracy": accuracy_score(flat_truth, flat_predicted),
        "macro_f1": f1_score(flat_truth, flat_predicted, average="macro", zero_division=0.0),
    }


def train(
    model_path: str,
    data: Path,
    folder: Path,
    *,
    column: str,
    epochs: float,
    lr: float,
    batch_size: int = 16,
    max_train: int | None = None,
    max_eval: int | None = None,
    logging_steps: int = 10,
) -> dict[str, Any]:
    """Fine-tune a model on a folder's train.* and validation.* files with `tokens` and a column of tags, seed 42.

    No row may be longer than the model's limit. A tag that training never had is not asked for in the loss.
    """
    raw = rows_of(data)
    names = sorted({tag for row in raw["train"][column] for tag in row})
    raw = sampled(raw, max_train, max_eval)
    ids = {name: number for number, name in enumerate(names)}
    tokenizer = AutoTokenizer.from_pretrained(model_path)

    def encode(batch: dict[str, Any]) -> dict[str, Any]:
        encoded = tokenizer(batch["tokens"], is_split_into_words=True, truncation=True, max_length=512)
        labels, places = [], []
        for number, tags in enumerate(batch[column]):
            words = encoded.word_ids(number)
            first = [p for p, word in enumerate(words) if word is not None and word != words[p - 1]]
            row = [IGNORED] * len(words)
            for place in first:
                row[place] = ids.get(tags[words[place]], IGNORED)
            labels.append(row)
            places.append(first)
        return {**encoded, "labels": labels, "places": places}

    ready = raw.map(encode, batched=True, remove_columns=raw["train"].column_names)
    truth, places = list(raw["validation"][column]), list(ready["validation"]["places"])
    score = word_scores if column == "pos_tags" else entity_scores

    def metrics(prediction: Any) -> dict[str, float]:
        rows = zip(prediction.predictions, places, strict=True)
        return score(truth, [[names[row[place]] for place in first] for row, first in rows])

    set_seed(SEED)
    model = AutoModelForTokenClassification.from_pretrained(model_path, num_labels=len(names))
    arguments = TrainingArguments(
        **common_arguments(folder, epochs=epochs, lr=lr, batch_size=batch_size, logging_steps=logging_steps),
    )

    def make_trainer() -> Trainer:
        return WeighsLabels(
            model=model,
            args=arguments,
            data_collator=DataCollatorForTokenClassification(tokenizer),
            train_dataset=ready["train"],
            eval_dataset=ready["validation"],
            processing_class=tokenizer,
            compute_metrics=metrics,
            preprocess_logits_for_metrics=lambda logits, _: logits.argmax(dim=-1),
        )

    names_of = ("accuracy", "macro_f1") if column == "pos_tags" else ("f1", "precision", "recall", "accuracy")
    return evaluated_and_trained(make_trainer, folder, ("loss", *names_of))


if __name__ == "__main__":
    command_line(train)
