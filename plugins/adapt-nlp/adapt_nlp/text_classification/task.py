"""One class for each text, with any encoder, decoder or encoder-decoder that has a classification head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluation import PerClass, spread
from adapt_core.hf.data.texts import row_text
from adapt_core.hf.models.attention import class_of
from adapt_core.hf.models.tokenizers import length_limit
from adapt_core.hf.tasks.inputs import require_inputs
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import LabelledTokens

from adapt_nlp.head import head_options, set_decoder_start
from adapt_nlp.metrics import names
from adapt_nlp.params import TextClassificationParams
from adapt_nlp.text_classification.data import class_weights, prepare_texts, required_columns
from adapt_nlp.text_classification.end_token import end_fault, end_token
from adapt_nlp.text_classification.preview import as_samples, class_counts, labelled_texts

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn
    from transformers import EvalPrediction, PreTrainedConfig, PreTrainedTokenizerBase

    from adapt_nlp.text_classification.predict import ClassifiedText


class TextClassification(LanguageTask[TextClassificationParams]):
    """The task text_classification without `subtask`."""

    auto_class = "AutoModelForSequenceClassification"

    def check(self) -> None:
        """Check data, model and CLASS_WEIGHTS.

        Raises:
            InputError: one of them is at fault.
        """
        weights = self.params.class_weights
        if isinstance(weights, str) and weights.casefold() != "balanced":
            raise InputError(f"CLASS_WEIGHTS must be balanced or a mapping of label to weight; not {weights!r}.")
        self.require_metric(list(names.CLASSIFICATION))
        super().check()

    @property
    def required_columns(self) -> Sequence[tuple[str, str]]:
        """The columns of text and label."""
        return required_columns(self.plan)

    def load_data(self) -> TaskData:
        """Return the splits as token ids (`input_ids`, `attention_mask`) with `labels` (int)."""
        limit = length_limit(self.tokenizer, self.config, self.params.max_seq_length)
        return prepare_texts(self.plan, self.tokenizer, limit, self._end_token(self.config, self.tokenizer))

    def _end_token(self, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> str | None:
        import transformers

        # By the config, for an adapter or a compiled model hides the class of what it wraps.
        auto_class = getattr(transformers, self.auto_class)
        return end_token(class_of(auto_class, config), config, tokenizer)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load a sequence classifier with one logit for each class of the data."""
        loaded = self.load_base(head_options(data.labels or ()), quantizer, world)
        config: Any = loaded.model.config
        config.problem_type = "single_label_classification"
        set_decoder_start(loaded.model, self.tokenizer)
        return loaded

    def make_loop(self, job: Job) -> Loop:
        """Return a Trainer that pads each batch to its longest text."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop
        from adapt_core.hf.loop.losses import class_weight_sum, weighted_cross_entropy
        from adapt_core.hf.loop.per_class import class_table

        from adapt_nlp.metrics.classification import classification_scores, predicted_classes
        from adapt_nlp.padding import padding_findings

        job.recorder.warn(padding_findings(job.model, self.tokenizer))
        labels = job.data.labels or ()
        weights = class_weights(self.plan, job.data)

        def score(prediction: EvalPrediction) -> dict[str, float]:
            return classification_scores(prediction.label_ids, prediction.predictions)

        def per_class(prediction: EvalPrediction, _rows: Dataset) -> PerClass:
            return class_table(prediction.label_ids, prediction.predictions, labels)

        components = TrainerComponents(
            collate=self.collator,
            compute_metrics=score,
            per_class=per_class,
            metrics=names.CLASSIFICATION,
            preprocess_logits=predicted_classes,
            compute_loss=weighted_cross_entropy(weights) if weights else None,
            weigh_loss=class_weight_sum(weights) if weights else None,
            frozen_rows=self.frozen_rows,
            processing_class=self.tokenizer,
        )
        return HuggingFaceLoop(job, components)

    def seen_by_model(self, data: TaskData, count: int) -> list[LabelledTokens]:
        """Return the tokens of training texts, each followed by its class."""
        return labelled_texts(self.tokenizer, data, count)

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Return the number of training texts of each class."""
        return class_counts(data)

    def loading_lines(self, save_method: str) -> str:
        """Return lines that load model and tokenizer and classify a text."""
        limit = length_limit(self.tokenizer, self.config, self.params.max_seq_length)
        use = [
            f'inputs = tokenizer("A text to classify.", truncation=True, max_length={limit}, return_tensors="pt")',
            "label = model.config.id2label[int(model(**inputs).logits.argmax())]",
        ]
        return self.loading_with(use, save_method)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return {"text", "label", "score"} for each text; the score is the softmax probability of the label."""
        module: Any = model
        tokenizer = self.saved_tokenizer(folder)
        texts = [str(text) for text in inputs]
        end = self._end_token(module.config, tokenizer)
        faults = (end_fault(text, end) for text in texts)
        require_inputs(None if fault is None else f" {fault}. Remove it from the text." for fault in faults)
        return [dict(found) for found in self._classify(model, tokenizer, texts)]

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return a few validation texts with their class and the model's."""
        numbers = spread(len(data.validation), count)
        texts = [row_text(data.rows["validation"][number], self.plan) for number in numbers]
        labels = data.labels or ()
        truth = [labels[label] for label in data.validation.select(numbers)["labels"]]
        return as_samples(truth, self._classify(model, self.tokenizer, texts))

    def _classify(
        self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
    ) -> list[ClassifiedText]:
        from adapt_nlp.text_classification.predict import classify_texts

        module: Any = model
        limit = length_limit(tokenizer, module.config, self.params.max_seq_length)
        return classify_texts(model, tokenizer, texts, limit)
