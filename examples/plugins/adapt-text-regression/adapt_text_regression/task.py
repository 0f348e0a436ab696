"""A number for each text: a model with one output, trained on the squared error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from adapt_core import hf
from adapt_core.plugin import Job, LoadedModel, Loop, Quantizer, TaskData, World, spread
from adapt_text_regression.plugin import METRICS, TextRegressionParams


class TextRegression(hf.LanguageTask[TextRegressionParams]):
    """The task text_regression."""

    auto_class = "AutoModelForSequenceClassification"

    def load_data(self) -> TaskData:
        """Return the splits as token ids with `labels` (float)."""
        plan, tokenizer = self.plan, self.tokenizer
        limit, target = self.params.max_seq_length, plan.data.target_column or "score"

        def faults(rows: Any, _split: str) -> Iterator[str | None]:
            for fault, value in zip(hf.text_faults(rows, plan), hf.column_values(rows, target), strict=True):
                number = hf.number_of(value)
                yield fault or (f"column {target!r} is {value!r}, not a number" if number is None else None)

        def encode(batch: Any, _numbers: Any) -> dict[str, Any]:
            encoded = tokenizer(hf.batch_texts(batch, plan), truncation=True, max_length=limit)
            return {**encoded, "labels": [hf.number_of(value) for value in batch[target]]}

        columns = [*hf.text_columns(plan), (target, "target_column")]
        key = {"limit": limit, "columns": columns, "format": plan.data.format_string}
        encoding = hf.Encoding(encode=encode, key=key)
        return hf.prepare_rows(plan, tokenizer, hf.load_splits(plan, columns), faults, encoding)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load a model with one output."""
        options = {"num_labels": 1, "problem_type": "regression", "ignore_mismatched_sizes": True}
        return self.load_base(options, quantizer, world)

    def make_loop(self, job: Job) -> Loop:
        """Return a Trainer that pads each batch to its longest text."""
        components = hf.TrainerComponents(collate=self.collator, compute_metrics=errors, metrics=METRICS)
        return hf.HuggingFaceLoop(job, components)

    def loading_lines(self, save_method: str) -> str:
        """Return lines that load model and tokenizer and score a text."""
        use = 'score = model(**tokenizer("A text to score.", return_tensors="pt")).logits.item()'
        return self.loading_with([use], save_method)

    def predict(self, model: Any, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return {"text", "score"} for each text."""
        return [{"text": t, "score": self._score(model, self.saved_tokenizer(folder), t)} for t in inputs]

    def samples(self, model: Any, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return a few validation texts with their number and the model's, for the report."""
        rows = data.rows["validation"].select(spread(len(data.validation), count))
        target = self.plan.data.target_column or "score"
        texts = [(hf.row_text(row, self.plan), row[target]) for row in rows]
        scored = [(text, truth, self._score(model, self.tokenizer, text)) for text, truth in texts]
        return [{"input": t, "expected": f"{truth:g}", "predicted": f"{found:.3g}"} for t, truth, found in scored]

    def _score(self, model: Any, tokenizer: Any, text: str) -> float:
        import torch

        options = {"truncation": True, "max_length": self.params.max_seq_length, "return_tensors": "pt"}
        with torch.inference_mode():
            return float(model(**tokenizer(text, **options).to(model.device)).logits)


def errors(prediction: Any) -> dict[str, float]:
    """Return the root mean squared and mean absolute error of `predictions` (rows, 1) against `label_ids` (rows,)."""
    off = prediction.predictions.squeeze(-1) - prediction.label_ids
    return {"rmse": float((off**2).mean() ** 0.5), "mae": float(abs(off).mean())}
