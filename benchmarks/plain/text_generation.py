"""Text generation by transformers alone, packed or padded; optionally with LoRA by peft and a 4-bit base."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy
import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
    set_seed,
)

from benchmarks.plain.phases import SEED, command_line, common_arguments, evaluated_and_trained, rows_of, sampled

METRICS = ("loss", "perplexity", "token_accuracy")
IGNORED = -100


def documents(rows: Any, tokenizer: Any, max_length: int) -> list[dict[str, list[int]]]:
    """Yield token ids with the end token, in pieces of at most `max_length`; a piece's first token is not a target."""
    found = []
    for text in rows["text"]:
        ids = [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
        pieces = (ids[start : start + max_length] for start in range(0, len(ids), max_length))
        found += [{"input_ids": piece, "labels": [IGNORED, *piece[1:]]} for piece in pieces if len(piece) > 1]
    return found


def packed(rows: list[dict[str, list[int]]], capacity: int) -> list[dict[str, list[int]]]:
    """Pack by best-fit decreasing; position ids restart with each document."""
    packs: list[list[int]] = []
    rooms: list[int] = []
    for number in sorted(range(len(rows)), key=lambda n: -len(rows[n]["input_ids"])):
        length = len(rows[number]["input_ids"])
        fitting = [(room, pack) for pack, room in enumerate(rooms) if room >= length]
        if not fitting:
            packs.append([])
            rooms.append(capacity)
            fitting = [(capacity, len(packs) - 1)]
        pack = min(fitting)[1]
        packs[pack].append(number)
        rooms[pack] -= length
    return [
        {
            "input_ids": [token for n in sorted(pack) for token in rows[n]["input_ids"]],
            "labels": [label for n in sorted(pack) for label in rows[n]["labels"]],
            "position_ids": [place for n in sorted(pack) for place in range(len(rows[n]["input_ids"]))],
        }
        for pack in packs
    ]


def collate_packs(examples: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Pad packs; the padding is a document of its own, with position ids from 0."""
    longest = max(len(example["input_ids"]) for example in examples)
    batch: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "position_ids": []}
    for example in examples:
        missing = longest - len(example["input_ids"])
        batch["input_ids"].append(example["input_ids"] + [0] * missing)
        batch["labels"].append(example["labels"] + [IGNORED] * missing)
        batch["position_ids"].append(example["position_ids"] + list(range(missing)))
    return {name: torch.tensor(values) for name, values in batch.items()}


def hits_and_losses(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return for each position whether its token was the most likely, and its loss."""
    scores, wanted = logits[:, :-1].float(), labels[:, 1:]
    likeliest = scores.argmax(dim=-1).eq(wanted)
    # Flat: over transposed logits torch adds up the vocabulary one by one, 1.5e-4 nats off what float64 gives.
    losses = torch.nn.functional.cross_entropy(scores.flatten(0, 1), wanted.flatten(), reduction="none")
    return likeliest, losses.view_as(wanted)


def metrics(prediction: Any) -> dict[str, float]:
    """Return the mean over all targets."""
    hits, losses = prediction.predictions
    targets = prediction.label_ids[:, 1:] != IGNORED
    loss = float(losses[targets].astype(numpy.float64).mean())
    return {"loss": loss, "perplexity": math.exp(loss), "token_accuracy": float(hits[targets].mean())}


def go_on(model: Any, tokenizer: Any, texts: list[str]) -> list[str]:
    """Generate 32 tokens after the first half of each text, in one batch."""
    halves = [text[: min(len(text) // 2, 400)] for text in texts]
    inputs = tokenizer(halves, padding=True, padding_side="left", return_tensors="pt").to(model.device)
    model.eval()
    written = model.generate(**inputs, max_new_tokens=32, do_sample=True, pad_token_id=tokenizer.pad_token_id)
    return list(tokenizer.batch_decode(written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True))


def loaded(model_path: str, dtype: str, lora: dict[str, Any] | None, four_bits: bool) -> Any:
    """Return the model, optionally with LoRA on each linear layer but the head and an NF4 base."""
    options: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    if four_bits:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
        options["device_map"] = {"": 0}
    model = AutoModelForCausalLM.from_pretrained(model_path, **options)
    if lora is None:
        return model
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if four_bits:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", **lora))


def train(
    model_path: str,
    data: Path,
    folder: Path,
    *,
    packing: bool,
    epochs: float,
    lr: float,
    max_length: int,
    batch_size: int = 16,
    max_train: int | None = None,
    max_eval: int | None = None,
    logging_steps: int = 10,
    label_smoothing: float = 0.0,
    shown: int = 0,
    dtype: str = "float32",
    bf16: bool = False,
    lora: dict[str, Any] | None = None,
    four_bits: bool = False,
) -> dict[str, Any]:
    """Fine-tune a model on a folder's train.jsonl and validation.jsonl with `text`, seed 42.

    `shown` validation texts are gone on from before and after training, as a user looks at what was learned.
    """
    raw = sampled(rows_of(data), max_train, max_eval)
    tokenizer = AutoTokenizer.from_pretrained(model_path)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    ready = {}
    for split in ("train", "validation"):
        rows = documents(raw[split], tokenizer, max_length)
        ready[split] = Dataset.from_list(packed(rows, max_length) if packing else rows)
    set_seed(SEED)
    model = loaded(model_path, dtype, lora, four_bits)
    model.config.pad_token_id = tokenizer.pad_token_id
    arguments = TrainingArguments(
        **common_arguments(folder, epochs=epochs, lr=lr, batch_size=batch_size, logging_steps=logging_steps),
        train_sampling_strategy="random" if packing else "group_by_length",
        bf16=bf16,
        label_smoothing_factor=label_smoothing,
    )

    def make_trainer() -> Trainer:
        return Trainer(
            model=model,
            args=arguments,
            data_collator=collate_packs if packing else DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED),
            train_dataset=ready["train"],
            eval_dataset=ready["validation"],
            processing_class=tokenizer,
            compute_metrics=metrics,
            preprocess_logits_for_metrics=hits_and_losses,
        )

    texts = list(raw["validation"]["text"])[:shown]
    before = go_on(model, tokenizer, texts) if texts else []
    figures = evaluated_and_trained(make_trainer, folder, METRICS)
    after = go_on(model, tokenizer, texts) if texts else []
    return {**figures, "texts_before": before, "texts_after": after}


if __name__ == "__main__":
    command_line(train)
