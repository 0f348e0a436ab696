"""Labels or numbers for each text, with any encoder, decoder or encoder-decoder that has a classification head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.evaluation import Decisions, Evaluated, spread
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.texts import row_text
from adapt_core.hf.models.attention import class_of
from adapt_core.hf.models.tokenizers import length_limit
from adapt_core.hf.problems.outputs import read_problem, write_problem
from adapt_core.hf.problems.params import check_problem
from adapt_core.hf.problems.problem import Outcome, Problem, expected_problem, possible_metrics, problem_of
from adapt_core.hf.problems.training import completed
from adapt_core.hf.tasks.inputs import require_inputs
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import LabelledTokens

from adapt_nlp.head import head_options, set_decoder_start
from adapt_nlp.params import TextClassificationParams
from adapt_nlp.text_classification.data import prepare_texts, required_columns
from adapt_nlp.text_classification.end_token import end_fault, end_token
from adapt_nlp.text_classification.preview import labelled_texts
from adapt_nlp.text_classification.problems import PROBLEMS

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


class TextClassification(LanguageTask[TextClassificationParams]):
    """The task text_classification without `subtask`.

    Attributes:
        problem: what its model learns; as the data says once that, or a model for it, is loaded.
    """

    auto_class = "AutoModelForSequenceClassification"

    def __init__(self, plan: Plan[TextClassificationParams]) -> None:
        super().__init__(plan)
        self.problem = expected_problem(plan, PROBLEMS)

    def check(self) -> None:
        """Check data, model and the keys of the problem.

        Raises:
            InputError: one of them is at fault.
        """
        check_problem(self.plan)
        self.require_metric(possible_metrics(self.plan, PROBLEMS))
        super().check()

    @property
    def required_columns(self) -> Sequence[tuple[str, str]]:
        """The columns of text and target."""
        return required_columns(self.plan)

    def load_data(self) -> TaskData:
        """Return the splits as token ids (`input_ids`, `attention_mask`) with `labels` (see `Target`)."""
        limit = length_limit(self.tokenizer, self.config, self.params.max_seq_length)
        data = prepare_texts(self.plan, self.tokenizer, limit, self._end_token(self.config, self.tokenizer))
        self.problem = problem_of(data, PROBLEMS)
        self.require_metric(list(self.problem.metrics))
        return data

    def _end_token(self, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> str | None:
        import transformers

        # By the config, for an adapter or a compiled model hides the class of what it wraps.
        auto_class = getattr(transformers, self.auto_class)
        return end_token(class_of(auto_class, config), config, tokenizer)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load a sequence classifier with one output for each label or number of the data."""
        self.problem = problem_of(data, PROBLEMS)
        loaded = self.load_base(head_options(data.labels or ()), quantizer, world)
        module: Any = loaded.model
        write_problem(module.config, self.problem)
        set_decoder_start(loaded.model, self.tokenizer)
        return loaded

    def make_loop(self, job: Job) -> Loop:
        """Return a Trainer that pads each batch to its longest text."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        from adapt_nlp.padding import padding_findings

        job.recorder.warn(padding_findings(job.model, self.tokenizer))
        components = TrainerComponents(
            collate=self.collator,
            metrics=self.problem.metrics,
            frozen_rows=self.frozen_rows,
            processing_class=self.tokenizer,
        )
        targets = () if job.data.train is None else column_values(job.data.train, "labels")
        return HuggingFaceLoop(job, completed(components, self.problem, job.data, targets, self.params))

    def evaluated_facts(self, found: Evaluated, data: TaskData) -> Mapping[str, Any]:
        """Return the temperature and least confidence of one label, or the thresholds of several."""
        return self.problem.facts_of(found, self.params)

    def decisions(self, found: Evaluated, data: TaskData) -> Decisions:
        """Return the same, with how well they do in an evaluation."""
        return self.problem.decided(found, data.facts)

    def hold_facts(self, model: nn.Module, data: TaskData) -> None:
        """Write these decisions into the model's config."""
        module: Any = model
        self.problem = problem_of(data, PROBLEMS)
        write_problem(module.config, self.problem)

    def seen_by_model(self, data: TaskData, count: int) -> list[LabelledTokens]:
        """Return the tokens of training texts, each followed by its labels or numbers."""
        return labelled_texts(self.tokenizer, data, count, self.problem)

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Return the number of training texts of each label."""
        return self.problem.counts(column_values(data.train, "labels"))

    def loading_lines(self, save_method: str) -> str:
        """Return lines that load model and tokenizer and classify a text."""
        limit = length_limit(self.tokenizer, self.config, self.params.max_seq_length)
        use = [
            f'inputs = tokenizer("A text to classify.", truncation=True, max_length={limit}, return_tensors="pt")',
            *self.problem.use("model(**inputs).logits", "model.config.id2label", "model.config.{}"),
        ]
        return self.loading_with(use, save_method)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return {"text"} and the outcome of each text: "label" and "score", "labels" and "scores", or "values"."""
        module: Any = model
        tokenizer = self.saved_tokenizer(folder)
        texts = [str(text) for text in inputs]
        end = self._end_token(module.config, tokenizer)
        faults = (end_fault(text, end) for text in texts)
        require_inputs(None if fault is None else f" {fault}. Remove it from the text." for fault in faults)
        found = self._outcomes(model, tokenizer, texts, read_problem(module.config, PROBLEMS))
        return [{"text": text, **outcome} for text, outcome in zip(texts, found, strict=True)]

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return a few validation texts with what was expected and what the model says."""
        numbers = spread(len(data.validation), count)
        texts = [row_text(data.rows["validation"][number], self.plan) for number in numbers]
        problem = problem_of(data, PROBLEMS)
        targets = data.validation.select(numbers)["labels"]
        found = self._outcomes(model, self.tokenizer, texts, problem)
        rows = zip(texts, targets, found, strict=True)
        return [{"input": text, **problem.sample(target, outcome)} for text, target, outcome in rows]

    def shown_inputs(self, data: TaskData, positions: Sequence[int]) -> list[str]:
        """Return validation texts."""
        return [row_text(data.rows["validation"][position], self.plan) for position in positions]

    def _outcomes(
        self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], problem: Problem
    ) -> list[Outcome]:
        from adapt_nlp.text_classification.predict import classify_texts

        module: Any = model
        limit = length_limit(tokenizer, module.config, self.params.max_seq_length)
        return classify_texts(model, tokenizer, texts, limit, problem)
