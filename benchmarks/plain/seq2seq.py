"""Translation and summarization by transformers, sacrebleu and rouge_score alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import corpus_bleu
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    set_seed,
)

from benchmarks.plain.phases import (
    SEED,
    WeighsLabels,
    command_line,
    common_arguments,
    evaluated_and_trained,
    rows_of,
    sampled,
)

KINDS = ["rouge1", "rouge2", "rougeL"]


class Seq2SeqWeighsLabels(WeighsLabels, Seq2SeqTrainer):
    """`WeighsLabels` that writes texts."""


def rouge(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return mean F-measures on Porter stems."""
    scorer = RougeScorer(KINDS, use_stemmer=True)
    scores = [scorer.score(reference, text) for text, reference in zip(texts, references, strict=True)]
    return {kind: fmean(score[kind].fmeasure for score in scores) for kind in KINDS}


def sacrebleu(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return corpus BLEU, from 0 to 100."""
    return {"sacrebleu": corpus_bleu(texts, [references]).score}


METRICS: dict[str, tuple[Callable[..., dict[str, float]], list[str]]] = {
    "rouge": (rouge, KINDS),
    "sacrebleu": (sacrebleu, ["sacrebleu"]),
}


def train(
    model_path: str,
    data: Path,
    folder: Path,
    *,
    epochs: float,
    lr: float,
    metric: str = "sacrebleu",
    prefix: str = "",
    max_input_length: int = 128,
    max_target_length: int = 128,
    generation_max_length: int | None = None,
    source_lang: str = "en",
    target_lang: str = "ro",
    batch_size: int = 16,
    max_train: int | None = None,
    max_eval: int | None = None,
    logging_steps: int = 10,
    label_smoothing: float = 0.0,
) -> dict[str, Any]:
    """Fine-tune a model on a folder's train.jsonl and validation.jsonl, seed 42.

    Rows hold `translation`, a mapping of languages, or `document` and `summary`.
    """
    raw = sampled(rows_of(data), max_train, max_eval)
    tokenizer = AutoTokenizer.from_pretrained(model_path)

    def encode(batch: dict[str, Any]) -> dict[str, Any]:
        if "translation" in batch:
            sources = [prefix + pair[source_lang] for pair in batch["translation"]]
            targets = [pair[target_lang] for pair in batch["translation"]]
        else:
            sources, targets = [prefix + document for document in batch["document"]], batch["summary"]
        encoded = tokenizer(sources, max_length=max_input_length, truncation=True)
        labels = tokenizer(text_target=targets, max_length=max_target_length, truncation=True)
        return {
            "input_ids": encoded["input_ids"],
            "attention_mask": encoded["attention_mask"],
            "labels": labels["input_ids"],
        }

    ready = raw.map(encode, batched=True, remove_columns=raw["train"].column_names)
    score, names = METRICS[metric]

    def metrics(prediction: Any) -> dict[str, float]:
        texts = []
        for ids in (prediction.predictions, prediction.label_ids):
            plain = numpy.where(ids < 0, tokenizer.pad_token_id, ids)
            texts.append([text.strip() for text in tokenizer.batch_decode(plain, skip_special_tokens=True)])
        return score(*texts)

    set_seed(SEED)
    model = AutoModelForSeq2SeqLM.from_pretrained(model_path)
    if model.config.decoder_start_token_id is None:
        # Of two BERTs the pair has no marks of its own: BERT's are taken, as transformers' documentation does.
        for config in (model.config, model.generation_config):
            config.decoder_start_token_id = tokenizer.cls_token_id
            config.eos_token_id = tokenizer.sep_token_id
            config.pad_token_id = tokenizer.pad_token_id
    arguments = Seq2SeqTrainingArguments(
        **common_arguments(folder, epochs=epochs, lr=lr, batch_size=batch_size, logging_steps=logging_steps),
        train_sampling_strategy="group_by_length",
        predict_with_generate=True,
        generation_max_length=generation_max_length or max_target_length,
        label_smoothing_factor=label_smoothing,
    )
    # A smoothed loss is computed outside of the model, which then needs its decoder's inputs.
    collate = DataCollatorForSeq2Seq(tokenizer, model=model if label_smoothing else None)

    def make_trainer() -> Seq2SeqTrainer:
        return Seq2SeqWeighsLabels(
            model=model,
            args=arguments,
            data_collator=collate,
            train_dataset=ready["train"],
            eval_dataset=ready["validation"],
            processing_class=tokenizer,
            compute_metrics=metrics,
        )

    return evaluated_and_trained(make_trainer, folder, ("loss", *names))


if __name__ == "__main__":
    command_line(train)
