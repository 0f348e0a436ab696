"""A tag for each word (ner, pos, chunk), with any model that has a token-classification head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass, spread
from adapt_core.hf.models.tokenizers import length_limit, require_fast
from adapt_core.hf.problems.kinds import AUTO
from adapt_core.hf.problems.params import wanted_kind
from adapt_core.hf.tasks.inputs import read_words
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import LabelledTokens

from adapt_nlp.formats.spans import word_texts
from adapt_nlp.head import head_options, set_decoder_start
from adapt_nlp.metrics import names
from adapt_nlp.params import TextClassificationParams
from adapt_nlp.token_classification import metrics
from adapt_nlp.token_classification.data import prepare_windows, required_columns
from adapt_nlp.token_classification.preview import as_samples, labelled_tokens, tag_counts
from adapt_nlp.token_classification.schemes import as_entity_tags
from adapt_nlp.token_classification.tags import Tags, input_column, target_column
from adapt_nlp.token_classification.word_spaces import put_space_before_words

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import nn
    from transformers import EvalPrediction, PretrainedConfig, PreTrainedTokenizerBase


class TokenClassification(LanguageTask[TextClassificationParams]):
    """The task text_classification with `subtask: ner`, `pos` or `chunk`."""

    auto_class = "AutoModelForTokenClassification"

    def __init__(self, plan: Plan[TextClassificationParams]) -> None:
        super().__init__(plan)
        self._tags: Tags | None = None

    @property
    def _scores_words(self) -> bool:
        return self.params.subtask == "pos"

    @property
    def _metrics(self) -> dict[str, str]:
        return names.CLASSIFICATION if self._scores_words else names.ENTITIES

    def check(self) -> None:
        """Check data and model, and that no parameter of plain classification is given.

        Raises:
            InputError: one of them is at fault.
        """
        if self.plan.data.format_string:
            raise InputError(
                "FORMAT_STRING makes one text; the subtasks ner, pos and chunk take a column of words."
                " Leave it out, and set input_column."
            )
        if self.params.class_weights is not None:
            raise InputError("CLASS_WEIGHTS is for the classification of whole texts (without subtask). Leave it out.")
        given = {
            "LABEL_SMOOTHING": bool(self.params.label_smoothing),
            "LOSS": self.params.loss is not None,
            "CLASS_SAMPLING": self.params.class_sampling is not None,
            "ABSTAIN_PRECISION": self.params.abstain_precision is not None,
            "label_separator": self.params.label_separator is not None,
            "problem_type": wanted_kind(self.params) != AUTO,
            "target_columns": self.params.target_columns is not None,
        }
        if any(given.values()):
            key = next(key for key, is_given in given.items() if is_given)
            raise InputError(f"{key} is for labels and numbers of whole texts (without subtask). Leave it out.")
        self.require_metric(list(self._metrics))
        super().check()

    @property
    def required_columns(self) -> Sequence[tuple[str, str]]:
        """The columns of words and tags."""
        return required_columns(self.plan)

    def load_data(self) -> TaskData:
        """Return the splits as windows of sub-tokens with `labels`."""
        limit = self._limit(self.tokenizer, self.config)
        data, self._tags = prepare_windows(self.plan, self.tokenizer, limit)
        if any(getattr(one.format, "signs_are_words", False) for one in self.data_formats().values()):
            data.facts = {**data.facts, "signs_are_words": True}
        return data

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the base model, which reads a list of words as it reads their text."""
        return self._for_words(super().tokenizer)

    def _for_words(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
        require_fast(tokenizer, self.source, "ner, pos and chunk align words with sub-tokens")
        put_space_before_words(tokenizer)
        return tokenizer

    def _limit(self, tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig) -> int:
        return length_limit(tokenizer, config, self.params.max_seq_length)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load a token classifier with one logit for each tag of the training split."""
        loaded = self.load_base(head_options(data.labels or ()), quantizer, world)
        set_decoder_start(loaded.model, self.tokenizer)
        if data.facts.get("signs_are_words"):
            config: Any = loaded.model.config
            config.signs_are_words = True  # saved with the model: its predictions split texts as its data was split
        return loaded

    @property
    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """The collator of windows."""
        from adapt_nlp.collate import PadWithLabels

        return PadWithLabels(self.tokenizer)

    def make_loop(self, job: Job) -> Loop:
        """Return a Trainer that pads each batch to its longest window."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        from adapt_nlp.padding import padding_findings
        from adapt_nlp.token_classification.evaluated import tags_and_confidence

        job.recorder.warn(padding_findings(job.model, self.tokenizer))
        components = TrainerComponents(
            collate=self.collator,
            score=self._score,
            per_class=self._per_class,
            evaluated_rows=self._evaluated_rows,
            metrics=self._metrics,
            preprocess_logits=tags_and_confidence,
            rows_of=lambda windows, numbers: windows.select(numbers)["document"],
            frozen_rows=self.frozen_rows,
            processing_class=self.tokenizer,
        )
        return HuggingFaceLoop(job, components)

    def _tag_names(self, prediction: EvalPrediction, windows: Dataset) -> tuple[metrics.TagRows, metrics.TagRows]:
        """Return the tags of the documents of a split, truth and prediction, as the subtask's metrics take them."""
        assert self._tags is not None
        by_id = self._tags.names if self._scores_words else self._tags.entity_tags
        ids = metrics.join_windows(
            prediction.predictions[0], list(windows["gold"]), list(windows["words"]), list(windows["document"])
        )
        truth, predicted = ([[by_id[tag] for tag in row] for row in rows] for rows in ids)
        return truth, predicted

    def _per_class(self, prediction: EvalPrediction, windows: Dataset) -> PerClass:
        table = metrics.word_table if self._scores_words else metrics.entity_table
        return table(*self._tag_names(prediction, windows))

    def _evaluated_rows(self, prediction: EvalPrediction, windows: Dataset) -> EvaluatedRows:
        from adapt_nlp.token_classification.evaluated import least_confidence, tagged_rows

        places = (list(windows[name]) for name in ("gold", "words", "document"))
        confidence = least_confidence(prediction.predictions[1], *places)
        return tagged_rows(*self._tag_names(prediction, windows), confidence, words=self._scores_words)

    def _score(self, prediction: EvalPrediction, windows: Dataset) -> dict[str, float]:
        scores = metrics.word_scores if self._scores_words else metrics.entity_scores
        return scores(*self._tag_names(prediction, windows))

    def seen_by_model(self, data: TaskData, count: int) -> list[LabelledTokens]:
        """Return the sub-tokens of training windows with the tags that they are trained on."""
        return labelled_tokens(self.tokenizer, data, count)

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Return the number of training words of each tag."""
        return tag_counts(data)

    def loading_lines(self, save_method: str) -> str:
        """Return lines that load model and tokenizer and tag the words of a text."""
        limit = self._limit(self.tokenizer, self.config)
        use = [
            'words = "Ada Lovelace lived in London .".split()',
            f"inputs = tokenizer(words, is_split_into_words=True, truncation=True, max_length={limit}, "
            'return_tensors="pt")',
            "ids = model(**inputs).logits[0].argmax(-1)",
            "# The tag of a word is that of its first sub-token.",
            "firsts = [inputs.word_to_tokens(0, word).start for word in range(len(words))]",
            "tags = [model.config.id2label[int(ids[first])] for first in firsts]",
        ]
        return self.loading_with(use, save_method)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return texts, the lines of .txt files, or the lists of words in files with the column of words."""
        return read_words(arguments, self.plan, input_column(self.plan))

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return {"tokens", "tags", "scores"} for each input, for ner and chunk with "entities".

        Texts are split at white space, or as the formats of spans split them where the model was trained on such.
        An entity is {"type", "text", "start", "end"}: words start to end (exclusive).
        """
        from adapt_nlp.token_classification.predict import find_entities, tag_documents

        module: Any = model
        tokenizer = self._for_words(self.saved_tokenizer(folder))
        split = word_texts if getattr(module.config, "signs_are_words", False) else str.split
        documents = [split(words) if isinstance(words, str) else list(words) for words in inputs]
        entity_tags = as_entity_tags(module.config.id2label.values())
        results = []
        for found in tag_documents(model, tokenizer, documents, self._limit(tokenizer, module.config)):
            result: dict[str, Any] = {**found}
            if not self._scores_words:
                result["entities"] = find_entities(found["tokens"], found["tags"], entity_tags)
            results.append(result)
        return results

    def shown_inputs(self, data: TaskData, positions: Sequence[int]) -> list[str]:
        """Return the words of validation documents."""
        column = input_column(self.plan)
        return [" ".join(map(str, data.rows["validation"][position][column])) for position in positions]

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return a few validation rows with a tag for each word, the data's and the model's."""
        from adapt_nlp.token_classification.predict import tag_documents

        assert self._tags is not None
        module: Any = model
        rows = data.rows["validation"]
        chosen = rows.select(spread(len(rows), count))
        documents = [list(words) for words in chosen[input_column(self.plan)]]
        found = tag_documents(model, self.tokenizer, documents, self._limit(self.tokenizer, module.config))
        by_id, ids = self._tags.names, self._tags.ids
        return as_samples([[by_id[ids[tag]] for tag in tags] for tags in chosen[target_column(self.plan)]], found)
