"""A tag for each word (ner, pos, chunk), with any encoder or decoder that has a token-classification head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluation import PerClass, spread
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.models.tokenizers import length_limit, require_fast
from adapt_core.hf.tasks.inputs import read_words
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import IGNORED, count_labels, example_tokens, spread_examples

from adapt_nlp.token_classification import data as tagging_data
from adapt_nlp.token_classification import metrics
from adapt_nlp.token_classification.tags import Tags, input_column, target_column

if TYPE_CHECKING:
    from torch import nn


class TokenClassification(LanguageTask):
    """The task text_classification with `subtask: ner`, `pos` or `chunk`."""

    auto_class = "AutoModelForTokenClassification"
    head_names = ("classifier", "score")

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._tags: Tags | None = None

    @property
    def _metrics(self) -> dict[str, str]:
        return metrics.WORD_METRICS if self.plan.task.params.subtask == "pos" else metrics.ENTITY_METRICS

    def check(self) -> None:
        """Data and model are there; parameters of plain classification are not given."""
        if self.plan.data.format_string:
            raise InputError("FORMAT_STRING makes one text; the subtasks ner, pos and chunk take a column of words.")
        if self.plan.task.params.class_weights is not None:
            raise InputError("CLASS_WEIGHTS serves classification of whole texts (no subtask).")
        self.require_metric(list(self._metrics))
        super().check()

    def load_data(self) -> TaskData:
        """The splits as windows of sub-tokens with `labels`."""
        data, self._tags = tagging_data.load(self.plan, self._prepared(self.tokenizer), self._limit(self.tokenizer))
        return data

    def _prepared(self, tokenizer: Any) -> Any:
        if getattr(tokenizer, "add_prefix_space", None) is False:
            # Byte-level tokenizers (RoBERTa, GPT-2) take lists of words only with a space before each.
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(tokenizer.name_or_path, add_prefix_space=True)
        return require_fast(tokenizer, self.source, "ner, pos and chunk align words with sub-tokens")

    def _limit(self, tokenizer: Any, config: Any = None) -> int:
        return length_limit(tokenizer, config or self.config, self.plan.task.params.max_seq_length)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """A token classifier with one logit for each tag of the training split."""
        names = dict(enumerate(data.labels or ()))
        options = {
            "num_labels": len(names),
            "id2label": names,
            "label2id": {name: number for number, name in names.items()},
            "ignore_mismatched_sizes": True,
        }
        return self.load_base(options, quantizer, world)

    @property
    def collator(self) -> Any:
        from adapt_nlp.collate import PadWithLabels

        return PadWithLabels(self.tokenizer)

    def make_loop(self, job: Job) -> Loop:
        """A Trainer that pads each batch to its longest window."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        from adapt_nlp.text_classification.metrics import argmax

        parts = TrainerComponents(
            collate=self.collator,
            score=self._score,
            per_class=self._per_class,
            metrics=self._metrics,
            preprocess_logits=argmax,
            processing_class=self.tokenizer,
        )
        return HuggingFaceLoop(job, parts)

    def _tagged(self, prediction: Any, dataset: Any) -> tuple[list[list[str]], list[list[str]]]:
        assert self._tags is not None
        names = self._tags.names
        ids = metrics.documents_of(
            prediction.predictions, list(dataset["gold"]), list(dataset["words"]), list(dataset["document"])
        )
        truth, predicted = ([[names[tag] for tag in row] for row in rows] for rows in ids)
        return truth, predicted

    def _per_class(self, prediction: Any, dataset: Any) -> PerClass:
        truth, predicted = self._tagged(prediction, dataset)
        if self.plan.task.params.subtask == "pos":
            return metrics.word_table(truth, predicted)
        return metrics.entity_table(truth, predicted)

    def _score(self, prediction: Any, dataset: Any) -> dict[str, float]:
        truth, predicted = self._tagged(prediction, dataset)
        if self.plan.task.params.subtask == "pos":
            return metrics.word_scores(truth, predicted)
        return metrics.entity_scores(truth, predicted)

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """Sub-tokens with the tag that each is trained on."""
        names = data.labels or ()
        return [
            [
                (token, "" if label == IGNORED else names[label])
                for token, label in zip(example_tokens(self.tokenizer, example), example["labels"], strict=True)
            ]
            for example in spread_examples(data, count)
        ]

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Training words of each tag."""
        labels = (label for row in column_values(data.train, "labels") for label in row)
        return count_labels(labels, data.labels or ())

    def loading_lines(self, save_method: str) -> str:
        """Loads model and tokenizer, and tags the words of one text."""
        use = [
            'inputs = tokenizer("Ada Lovelace lived in London .".split(), is_split_into_words=True, '
            'return_tensors="pt")',
            "tags = [model.config.id2label[int(i)] for i in model(**inputs).logits[0].argmax(-1)]",
        ]
        return self.loading_with(use, save_method)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Texts (their words are split at white space), .txt files, or files with the column of words."""
        return read_words(arguments, self.plan, input_column(self.plan))

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each input {"tokens", "tags", "scores"}, and for ner and chunk the "entities" in it.

        An entity is {"type", "text", "start", "end"}: words start to end (exclusive).
        """
        from adapt_nlp.token_classification.predict import entities, tag_documents

        tokenizer = self._prepared(self.saved_tokenizer(folder))
        documents = [list(words) for words in inputs]
        results = tag_documents(model, tokenizer, documents, self._limit(tokenizer, model.config))
        if self.plan.task.params.subtask != "pos":
            for result in results:
                result["entities"] = entities(result["tokens"], result["tags"])
        return results

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """A few validation rows with a tag for each word: the data's, and the model's."""
        from adapt_nlp.token_classification.predict import tag_documents

        assert self._tags is not None
        rows = data.rows["validation"]
        chosen = rows.select(spread(len(rows), count))
        documents = [list(words) for words in chosen[input_column(self.plan)]]
        tokenizer = self._prepared(self.tokenizer)
        module: Any = model
        found = tag_documents(model, tokenizer, documents, self._limit(tokenizer, module.config))
        names, ids = self._tags.names, self._tags.ids
        truth = [[names[ids[tag]] for tag in tags] for tags in chosen[target_column(self.plan)]]
        return [
            {
                "input": " ".join(words),
                "expected": [[word, tag] for word, tag in zip(words, tags, strict=True)],
                "predicted": [[word, tag] for word, tag in zip(words, result["tags"], strict=True)],
            }
            for words, tags, result in zip(documents, truth, found, strict=True)
        ]
