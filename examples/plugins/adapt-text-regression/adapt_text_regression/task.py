"""A number for each text: a model with one output, trained on the squared error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.evaluation import spread
from adapt_core.hf.data.cache import cached_map, tokenizer_key
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.splits import clean_splits, load_splits
from adapt_core.hf.data.texts import batch_texts, row_text, text_columns, text_faults
from adapt_core.hf.tasks.language import LanguageTask


class TextRegression(LanguageTask):
    """The task text_regression."""

    auto_class = "AutoModelForSequenceClassification"
    head_names = ("classifier", "score", "pre_classifier", "classification_head")

    def load_data(self) -> TaskData:
        """The splits as token ids with `labels` (float)."""
        plan, tokenizer = self.plan, self.tokenizer
        limit, target = plan.task.params.max_seq_length, plan.data.target_column or "score"

        def faults(rows: Any, _split: str) -> Iterator[str | None]:
            for fault, value in zip(text_faults(rows, plan), column_values(rows, target), strict=True):
                number = isinstance(value, (int, float)) and math.isfinite(value)
                yield fault or (None if number else f"column {target!r} is {value!r}, not a number")

        def encode(batch: Any) -> dict[str, Any]:
            encoded = tokenizer(batch_texts(batch, plan), truncation=True, max_length=limit)
            return {**encoded, "labels": [float(value) for value in batch[target]]}

        good, stats = clean_splits(plan, load_splits(plan, [*text_columns(plan), (target, "target_column")]), faults)
        key = {"tokenizer": tokenizer_key(tokenizer), "limit": limit, "columns": [*text_columns(plan), target]}
        key["format"] = plan.data.format_string
        ready = {name: cached_map(split, encode, key, f"{name} split tokenized") for name, split in good.items()}
        return TaskData(stats=stats, rows=good, **ready)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """A model with one output."""
        options = {"num_labels": 1, "problem_type": "regression", "ignore_mismatched_sizes": True}
        return self.load_base(options, quantizer, world)

    def make_loop(self, job: Job) -> Loop:
        """A Trainer that pads each batch to its longest text."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        metrics = {"rmse": "lower", "mae": "lower"}
        parts = TrainerComponents(collate=self.collator, compute_metrics=errors, metrics=metrics)
        return HuggingFaceLoop(job, parts)

    def loading_lines(self, save_method: str) -> str:
        """Loads model and tokenizer, and scores one text."""
        use = 'score = model(**tokenizer("A text to score.", return_tensors="pt")).logits.item()'
        return self.loading_with([use], save_method)

    def predict(self, model: Any, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each text {"text", "score"}."""
        return [{"text": t, "score": self._score(model, self.saved_tokenizer(folder), t)} for t in inputs]

    def samples(self, model: Any, data: TaskData, count: int) -> list[dict[str, Any]]:
        """For the report: a few validation texts with their number, and the model's."""
        rows = data.rows["validation"].select(spread(len(data.validation), count))
        target = self.plan.data.target_column or "score"
        texts = [(row_text(row, self.plan), row[target]) for row in rows]
        scored = [(text, truth, self._score(model, self.tokenizer, text)) for text, truth in texts]
        return [{"input": t, "expected": f"{truth:g}", "predicted": f"{found:.3g}"} for t, truth, found in scored]

    def _score(self, model: Any, tokenizer: Any, text: str) -> float:
        import torch

        options = {"truncation": True, "max_length": self.plan.task.params.max_seq_length, "return_tensors": "pt"}
        with torch.inference_mode():
            return float(model(**tokenizer(text, **options).to(model.device)).logits)


def errors(prediction: Any) -> dict[str, float]:
    """Root mean squared and mean absolute error of `predictions` (rows, 1) against `label_ids` (rows,)."""
    off = prediction.predictions.squeeze(-1) - prediction.label_ids
    return {"rmse": float((off**2).mean() ** 0.5), "mae": float(abs(off).mean())}
