"""One class for each text, with any encoder, decoder or encoder-decoder that has a classification head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluation import spread
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.texts import row_text
from adapt_core.hf.models.tokenizers import length_limit
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import count_labels, example_tokens, spread_examples

from adapt_nlp.text_classification import data as classification_data

if TYPE_CHECKING:
    from torch import nn

_PREDICTED_AT_ONCE = 32


def text_classification(plan: Plan) -> Any:
    """The task that `subtask` chooses: tags for words (ner, pos, chunk), else one class for each text."""
    if plan.task.params.subtask:
        from adapt_nlp.token_classification.task import TokenClassification

        return TokenClassification(plan)
    return TextClassification(plan)


class TextClassification(LanguageTask):
    """The task text_classification with `subtask: None`."""

    auto_class = "AutoModelForSequenceClassification"
    head_names = ("classifier", "score", "pre_classifier", "classification_head")

    def check(self) -> None:
        """Data and model are there, FORMAT_STRING can be read, CLASS_WEIGHTS is known."""
        weights = self.plan.task.params.class_weights
        if isinstance(weights, str) and weights.casefold() != "balanced":
            raise InputError(f"CLASS_WEIGHTS must be balanced or a mapping of label to weight; not {weights!r}.")
        self.require_metric(["accuracy", "macro_f1"])
        super().check()

    def load_data(self) -> TaskData:
        """The splits as token ids (`input_ids`, `attention_mask`) with `labels` (int)."""
        limit = length_limit(self.tokenizer, self.config, self.plan.task.params.max_seq_length)
        return classification_data.load(self.plan, self.tokenizer, limit)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """A sequence classifier with one logit for each label of the data."""
        names = dict(enumerate(data.labels or ()))
        options: dict[str, Any] = {
            "num_labels": len(names),
            "id2label": names,
            "label2id": {name: number for number, name in names.items()},
            "ignore_mismatched_sizes": True,
        }
        loaded = self.load_base(options, quantizer, world)
        config: Any = loaded.model.config
        config.problem_type = "single_label_classification"
        return loaded

    def make_loop(self, job: Job) -> Loop:
        """A Trainer that pads each batch to its longest text."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop
        from adapt_core.hf.loop.losses import weighted_cross_entropy
        from adapt_core.hf.loop.per_class import class_table

        from adapt_nlp.text_classification.metrics import argmax, classification_metrics

        weights = classification_data.class_weights(self.plan, job.data)
        parts = TrainerComponents(
            collate=self.collator,
            compute_metrics=classification_metrics,
            per_class=lambda prediction, _rows: class_table(
                prediction.label_ids, prediction.predictions, job.data.labels or ()
            ),
            metrics={"accuracy": "higher", "macro_f1": "higher"},
            preprocess_logits=argmax,
            compute_loss=weighted_cross_entropy(weights) if weights else None,
            processing_class=self.tokenizer,
        )
        return HuggingFaceLoop(job, parts)

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """Tokens, then the class."""
        names = data.labels or ()
        return [
            [*((token, "") for token in example_tokens(self.tokenizer, example)), ("", names[example["labels"]])]
            for example in spread_examples(data, count)
        ]

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Training texts of each class."""
        return count_labels(column_values(data.train, "labels"), data.labels or ())

    def loading_lines(self, save_method: str) -> str:
        """Loads model and tokenizer, and classifies one text."""
        use = [
            'inputs = tokenizer("A text to classify.", truncation=True, return_tensors="pt")',
            "label = model.config.id2label[int(model(**inputs).logits.argmax())]",
        ]
        return self.loading_with(use, save_method)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each text: {"text", "label", "score"} with the score's softmax probability."""
        return self._classified(model, self.saved_tokenizer(folder), [str(text) for text in inputs])

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """A few validation texts with their class, and the model's with its probability."""
        numbers = spread(len(data.validation), count)
        texts = [row_text(data.rows["validation"][number], self.plan) for number in numbers]
        truth = data.validation.select(numbers)["labels"]
        names = data.labels or ()
        return [
            {
                "input": text,
                "expected": names[label],
                "predicted": f"{found['label']} ({found['score']:.2f})",
            }
            for text, label, found in zip(texts, truth, self._classified(model, self.tokenizer, texts), strict=True)
        ]

    def _classified(self, model: nn.Module, tokenizer: Any, texts: Sequence[str]) -> list[dict[str, Any]]:
        import torch

        module: Any = model
        names = module.config.id2label
        limit = length_limit(tokenizer, module.config, self.plan.task.params.max_seq_length)
        results = []
        with torch.inference_mode():
            for start in range(0, len(texts), _PREDICTED_AT_ONCE):
                batch = list(texts[start : start + _PREDICTED_AT_ONCE])
                encoded = tokenizer(batch, truncation=True, max_length=limit, padding=True, return_tensors="pt")
                probabilities = module(**encoded.to(module.device)).logits.float().softmax(dim=-1)
                for text, row in zip(batch, probabilities, strict=True):
                    best = int(row.argmax())
                    results.append({"text": text, "label": names[best], "score": round(float(row[best]), 6)})
        return results
