"""One class for each text, with any encoder, decoder or encoder-decoder that has a classification head."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData, World
from adapt_core.errors import InputError
from adapt_core.hf_data.columns import format_columns
from adapt_core.hf_data.source import check_source as check_data_source
from adapt_core.hf_models.loading import check_source, load_companion, load_pretrained
from adapt_core.hf_models.locate import TOKENIZER_FILES, locate
from adapt_core.plan import Plan

from adapt_nlp.attention import attention_options
from adapt_nlp.inputs import read_texts
from adapt_nlp.text_classification import data as classification_data
from adapt_nlp.tokenizers import length_limit, load_tokenizer

if TYPE_CHECKING:
    from torch import nn

AUTO_CLASS = "AutoModelForSequenceClassification"
_PREDICTED_AT_ONCE = 32


class TextClassification:
    """The task text_classification with `subtask: None`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def check(self) -> None:
        """Data and model are there, FORMAT_STRING can be read, CLASS_WEIGHTS is known."""
        weights = self.plan.task.params.class_weights
        if isinstance(weights, str) and weights.casefold() != "balanced":
            raise InputError(f"CLASS_WEIGHTS must be balanced or a mapping of label to weight; not {weights!r}.")
        format_columns(self.plan.data)
        check_data_source(self.plan.data)
        check_source(self._source, TOKENIZER_FILES, "tokenizer")
        if self.plan.run.push_to_hub:
            from adapt_core.hf_models.hub import require_push

            require_push(self.plan.run.push_to_hub)

    @cached_property
    def _source(self) -> Any:
        return locate(self.plan)

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._source, self.plan)

    def load_data(self) -> TaskData:
        """The splits as token ids (`input_ids`, `attention_mask`) with `labels` (int)."""
        from transformers import AutoConfig

        config = load_companion(AutoConfig.from_pretrained, self._source, self.plan)
        limit = length_limit(self._tokenizer, config, self.plan.task.params.max_seq_length)
        return classification_data.load(self.plan, self._tokenizer, limit)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """A sequence classifier with one logit for each label of the data."""
        import transformers

        names = dict(enumerate(data.labels or ()))
        options: dict[str, Any] = {
            "num_labels": len(names),
            "id2label": names,
            "label2id": {name: number for number, name in names.items()},
            "ignore_mismatched_sizes": True,
            **attention_options(self.plan, world),
        }
        if quantizer is not None:
            options.update(
                quantizer.hf_options(("classifier", "score", "pre_classifier", "classification_head"), world.device)
            )
        loaded = load_pretrained(getattr(transformers, AUTO_CLASS), self._source, self.plan, options)
        config: Any = loaded.model.config
        config.problem_type = "single_label_classification"
        if config.pad_token_id is None:
            config.pad_token_id = self._tokenizer.pad_token_id
        return loaded

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """What stands beside the base model."""
        from adapt_core.structure import find_head

        return find_head(model)

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """A classifier is the task's own head: it trains beside an adapter."""
        return True

    def make_loop(self, job: Job) -> Loop:
        """A Trainer that pads each batch to its longest text."""
        from transformers import DataCollatorWithPadding

        from adapt_core.hf_loop.loop import HuggingFaceLoop
        from adapt_core.hf_loop.parts import LoopParts

        from adapt_nlp.text_classification.losses import weighted_cross_entropy
        from adapt_nlp.text_classification.metrics import argmax, classification_metrics

        weights = classification_data.class_weights(self.plan, job.data)
        parts = LoopParts(
            collate=DataCollatorWithPadding(self._tokenizer),
            compute_metrics=classification_metrics,
            metrics={"accuracy": "higher", "macro_f1": "higher"},
            preprocess_logits=argmax,
            compute_loss=weighted_cross_entropy(weights) if weights else None,
            processing_class=self._tokenizer,
        )
        return HuggingFaceLoop(job, parts)

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Weights, model config (with the label names) and tokenizer."""
        from adapt_core.hf_models.saving import save_hf_model

        save_hf_model(model, self._tokenizer, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        """The classifier that `save_model` wrote."""
        import transformers

        from adapt_core.hf_models.saving import load_hf_model

        model: nn.Module = load_hf_model(getattr(transformers, AUTO_CLASS), folder)
        return model

    def loading_lines(self, save_method: str) -> str:
        """Loads model and tokenizer, and classifies one text."""
        from adapt_core.hf_models.saving import loading_lines

        use = [
            'inputs = tokenizer("A text to classify.", truncation=True, return_tensors="pt")',
            "label = model.config.id2label[int(model(**inputs).logits.argmax())]",
        ]
        return "\n".join([loading_lines(AUTO_CLASS, "AutoTokenizer", "tokenizer", save_method), *use])

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Texts, .txt files (one text a line), or .jsonl and .csv files with the input column."""
        return read_texts(arguments, self.plan)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each text: {"text", "label", "score"} with the score's softmax probability."""
        import torch
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True) if folder.is_dir() else self._tokenizer
        config: Any = model.config
        limit = length_limit(tokenizer, config, self.plan.task.params.max_seq_length)
        texts = [str(text) for text in inputs]
        results = []
        with torch.inference_mode():
            for start in range(0, len(texts), _PREDICTED_AT_ONCE):
                batch = texts[start : start + _PREDICTED_AT_ONCE]
                encoded = tokenizer(batch, truncation=True, max_length=limit, padding=True, return_tensors="pt")
                probabilities = model(**encoded).logits.float().softmax(dim=-1)
                for text, row in zip(batch, probabilities, strict=True):
                    best = int(row.argmax())
                    results.append({"text": text, "label": config.id2label[best], "score": round(float(row[best]), 6)})
        return results
