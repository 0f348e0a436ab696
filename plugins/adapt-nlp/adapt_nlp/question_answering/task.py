"""The task question_answering, with any model that has a question-answering head."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass, spread
from adapt_core.hf.data.columns import text_fault
from adapt_core.hf.models.tokenizers import positions_of, require_fast
from adapt_core.hf.tasks.inputs import read_records, require_inputs
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import LabelledTokens

from adapt_nlp.head import set_decoder_start
from adapt_nlp.metrics import names
from adapt_nlp.params import QuestionAnsweringParams
from adapt_nlp.question_answering.data import columns, gold_answers, prepare_windows, required_columns
from adapt_nlp.question_answering.evaluated import answered_rows
from adapt_nlp.question_answering.metrics import squad_scores
from adapt_nlp.question_answering.preview import as_samples, labelled_windows

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import nn
    from transformers import EvalPrediction, PretrainedConfig

    from adapt_nlp.question_answering.predict import Answer


class QuestionAnswering(LanguageTask[QuestionAnsweringParams]):
    """The task question_answering."""

    auto_class = "AutoModelForQuestionAnswering"

    def __init__(self, plan: Plan[QuestionAnsweringParams]) -> None:
        super().__init__(plan)
        self._data = TaskData()
        self._answers: tuple[list[bool], list[bool]] = ([], [])
        self._found: tuple[list[Answer], list[list[str]]] = ([], [])

    @property
    def _metrics(self) -> dict[str, str]:
        return names.SQUAD_V2 if self.params.squad_v2_format else names.SQUAD

    def check(self) -> None:
        """Check data and model, and that windows overlap by less than their length.

        Raises:
            InputError: one of them is at fault.
        """
        params = self.params
        if params.doc_stride >= params.max_length - 8:
            raise InputError(f"doc_stride {params.doc_stride} must be well below max_length {params.max_length}.")
        if self.plan.data.format_string:
            raise InputError("FORMAT_STRING makes one text; question answering takes a context and a question column.")
        self.require_metric(list(self._metrics))
        super().check()

    def _limit(self, config: PretrainedConfig) -> int:
        positions = positions_of(config)
        wanted = self.params.max_length
        if positions is not None and positions < wanted:
            raise InputError(f"max_length {wanted} is more than the {positions} positions of the model. Lower it.")
        return wanted

    @property
    def required_columns(self) -> Sequence[tuple[str, str]]:
        """The columns of context, question and answers."""
        return required_columns(self.plan)

    def load_data(self) -> TaskData:
        """Return the splits as windows with `start_positions` and `end_positions` (tokens)."""
        tokenizer = require_fast(self.tokenizer, self.source, "answers are found by their characters")
        self._data = prepare_windows(self.plan, tokenizer, self._limit(self.config))
        return self._data

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load a model with two logits for each token: start and end of the answer."""
        loaded = self.load_base({}, quantizer, world)
        set_decoder_start(loaded.model, self.tokenizer)
        return loaded

    @property
    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """The collator of windows."""
        from adapt_nlp.question_answering.collate import PadWithPositions

        return PadWithPositions(self.tokenizer)

    def make_loop(self, job: Job) -> Loop:
        """Return a Trainer that pads each batch to its longest window."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        from adapt_nlp.padding import padding_findings

        job.recorder.warn(padding_findings(job.model, self.tokenizer))
        components = TrainerComponents(
            collate=self.collator,
            score=self._score,
            per_class=self._answered if self.params.squad_v2_format else None,
            evaluated_rows=self._evaluated_rows,
            metrics=self._metrics,
            preprocess_logits=lambda logits, _labels: tuple(logits[:2]),
            rows_of=lambda windows, numbers: windows.select(numbers)["row"],
            frozen_rows=self.frozen_rows,
            processing_class=self.tokenizer,
            trainer_class="adapt_nlp.question_answering.trainer:AnswerTrainer",
        )
        return HuggingFaceLoop(job, components)

    def _score(self, prediction: EvalPrediction, windows: Dataset) -> dict[str, float]:
        from adapt_nlp.question_answering.predict import evaluated_answers

        data = self._data
        rows = data.rows[data.split_of(windows)]
        rows = rows.select(range(windows[0]["row"], windows[-1]["row"] + 1))  # those of the data set that is evaluated
        found = list(evaluated_answers(prediction.predictions[:2], windows, rows, self.plan))
        _, _, answers = columns(self.plan)
        gold = [[text for text, _ in gold_answers(row[answers])] for row in rows.select_columns([answers])]
        texts = [answer["answer"] for answer in found]
        self._found = found, gold
        self._answers = ([not golden for golden in gold], [not text for text in texts])
        return squad_scores(texts, gold, v2=self.params.squad_v2_format)

    def _answered(self, _prediction: EvalPrediction, _windows: Dataset) -> PerClass:
        """Return whether questions have an answer, in the data and by the model, as `_score` has just found."""
        from adapt_core.hf.loop.per_class import class_table

        return class_table(*self._answers, ("answer", "no answer"))

    def _evaluated_rows(self, _prediction: EvalPrediction, windows: Dataset) -> EvaluatedRows:
        """Return what `_score` has just found of each question."""
        return answered_rows(*self._found, first=windows[0]["row"], v2=self.params.squad_v2_format)

    def seen_by_model(self, data: TaskData, count: int) -> list[LabelledTokens]:
        """Return the tokens of training windows, those of the answer labelled."""
        return labelled_windows(self.tokenizer, data, count)

    def loading_lines(self, save_method: str) -> str:
        """Return lines that load model and tokenizer and answer a question."""
        use = [
            'inputs = tokenizer("Where did Ada live?", "Ada Lovelace lived in London.", return_tensors="pt")',
            "outputs = model(**inputs)",
            "start, end = int(outputs.start_logits.argmax()), int(outputs.end_logits.argmax())",
            'answer = tokenizer.decode(inputs["input_ids"][0][start : end + 1])',
        ]
        return self.loading_with(use, save_method)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return records with the columns of context and question, from files or JSON objects.

        Raises:
            InputError: an argument is neither, or a text is missing.
        """
        context, question, _ = columns(self.plan)
        records = read_records(arguments, self.plan, {context: "input_column", question: "input_question_column"})
        example = json.dumps({question: "Where did Ada live?", context: "Ada lived in London."})

        def fault(record: Mapping[str, Any]) -> str | None:
            wrong = next((name for name in (context, question) if text_fault(record.get(name))), None)
            return None if wrong is None else f": {wrong!r} {text_fault(record.get(wrong))}. Give {example}"

        require_inputs(map(fault, records))
        return records

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return {"question", "answer", "start", "end", "score"} for each input; "unanswerable" is an empty answer."""
        from adapt_nlp.question_answering.predict import answer_questions

        module: Any = model
        _, question, _ = columns(self.plan)
        records = list(inputs)
        limit = self._limit(module.config)
        answers = answer_questions(model, self.saved_tokenizer(folder), records, self.plan, limit)
        return [{"question": row[question], **answer} for row, answer in zip(records, answers, strict=True)]

    def shown_inputs(self, data: TaskData, positions: Sequence[int]) -> list[dict[str, str]]:
        """Return validation questions with their contexts."""
        context, question, _ = columns(self.plan)
        rows = [data.rows["validation"][position] for position in positions]
        return [{"question": row[question], "context": row[context]} for row in rows]

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return a few validation questions with their first gold answer and the model's."""
        from adapt_nlp.question_answering.predict import answer_questions

        module: Any = model
        rows = data.rows["validation"]
        chosen = list(rows.select(spread(len(rows), count)))
        limit = self._limit(module.config)
        return as_samples(chosen, answer_questions(model, self.tokenizer, chosen, self.plan, limit), self.plan)
