"""Extractive question answering (SQuAD v1 format) by transformers and torchmetrics alone."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from torch.nn.functional import cross_entropy
from torchmetrics.functional.text import squad
from transformers import (
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

from benchmarks.plain.phases import SEED, command_line, common_arguments, evaluated_and_trained, rows_of, sampled


class AnswerTrainer(Trainer):
    """Trainer that keeps the order of evaluated windows, which is by length and not the data's own.

    Its softmax leaves out padding, as adapt's does: in a model's own loss a window's depends on those beside it.
    """

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the mean of the cross-entropies of start and end."""
        places = [inputs[name] for name in ("start_positions", "end_positions")]
        given = {name: value for name, value in inputs.items() if not name.endswith("_positions")}
        outputs = model(**given)
        padding = inputs["attention_mask"].eq(0)
        scores = [logits.masked_fill(padding, -1e30) for logits in (outputs.start_logits, outputs.end_logits)]
        loss = sum(cross_entropy(own, place) for own, place in zip(scores, places, strict=True)) / 2
        return (loss, outputs) if return_outputs else loss

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        self.order = list(super()._get_eval_sampler(eval_dataset))
        return self.order


def best_answer(
    windows: list[tuple[Any, Any, list[Any]]], context: str, n_best: int = 20, max_answer_length: int = 30
) -> str:
    """Return the text of the best span over the windows: (start logits, end logits, offsets in the context or None)."""
    best, found = -float("inf"), ""
    for start_logits, end_logits, offsets in windows:
        inside = [place for place, offset in enumerate(offsets) if offset is not None]
        starts = sorted(inside, key=lambda place: -start_logits[place])[:n_best]
        ends = sorted(inside, key=lambda place: -end_logits[place])[:n_best]
        for start in starts:
            for end in ends:
                score = float(start_logits[start] + end_logits[end])
                if start <= end < start + max_answer_length and score > best:
                    best, found = score, context[offsets[start][0] : offsets[end][1]]
    return found


def train(
    model_path: str,
    data: Path,
    folder: Path,
    *,
    epochs: float,
    lr: float,
    max_length: int = 384,
    doc_stride: int = 128,
    batch_size: int = 16,
    max_train: int | None = None,
    max_eval: int | None = None,
    logging_steps: int = 10,
) -> dict[str, Any]:
    """Fine-tune a model on a folder's train.jsonl and validation.jsonl in SQuAD's columns, seed 42."""
    raw = sampled(rows_of(data), max_train, max_eval)
    tokenizer = AutoTokenizer.from_pretrained(model_path)

    def encode(batch: dict[str, Any], numbers: list[int]) -> dict[str, Any]:
        encoded = tokenizer(
            [question.strip() for question in batch["question"]],
            batch["context"],
            truncation="only_second",
            max_length=max_length,
            stride=doc_stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        rows, offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
        starts, ends, kept = [], [], []
        for window, row in enumerate(rows):
            sequences = encoded.sequence_ids(window)
            inside = [place for place, part in enumerate(sequences) if part == 1]
            answers = batch["answers"][row]
            first = answers["answer_start"][0]
            last = first + len(answers["text"][0])
            kept.append([offset if sequences[p] == 1 else None for p, offset in enumerate(offsets[window])])
            if offsets[window][inside[0]][0] > first or offsets[window][inside[-1]][1] < last:
                starts.append(0)
                ends.append(0)
                continue
            starts.append(max(place for place in inside if offsets[window][place][0] <= first))
            ends.append(min(place for place in inside if offsets[window][place][1] >= last))
        return {
            **encoded,
            "start_positions": starts,
            "end_positions": ends,
            "row": [numbers[row] for row in rows],
            "offsets": kept,
        }

    ready = raw.map(encode, batched=True, with_indices=True, remove_columns=raw["train"].column_names)
    questions, facts = list(raw["validation"]), list(ready["validation"].select_columns(["row", "offsets"]))
    made: list[AnswerTrainer] = []

    def metrics(prediction: Any) -> dict[str, float]:
        start_logits, end_logits = prediction.predictions
        windows = defaultdict(list)
        for place, number in enumerate(made[-1].order):
            window = facts[number]
            windows[window["row"]].append((start_logits[place], end_logits[place], window["offsets"]))
        found = squad(
            [
                {"id": str(number), "prediction_text": best_answer(windows[number], question["context"])}
                for number, question in enumerate(questions)
            ],
            [{"id": str(number), "answers": question["answers"]} for number, question in enumerate(questions)],
        )
        return {"f1": float(found["f1"]), "exact_match": float(found["exact_match"])}

    set_seed(SEED)
    model = AutoModelForQuestionAnswering.from_pretrained(model_path)
    arguments = TrainingArguments(
        **common_arguments(folder, epochs=epochs, lr=lr, batch_size=batch_size, logging_steps=logging_steps),
        train_sampling_strategy="group_by_length",
    )

    def make_trainer() -> Trainer:
        trainer = AnswerTrainer(
            model=model,
            args=arguments,
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=ready["train"],
            eval_dataset=ready["validation"],
            processing_class=tokenizer,
            compute_metrics=metrics,
            preprocess_logits_for_metrics=lambda logits, _: tuple(logits[:2]),
        )
        made.append(trainer)
        return trainer

    return evaluated_and_trained(make_trainer, folder, ("loss", "f1", "exact_match"))


if __name__ == "__main__":
    command_line(train)
