"""The span of a context that answers a question, with any model that has a question-answering head."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluation import spread
from adapt_core.hf.data.columns import text_fault
from adapt_core.hf.models.tokenizers import positions_of, require_fast
from adapt_core.hf.tasks.inputs import read_records
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import example_tokens, spread_examples

from adapt_nlp.question_answering import data as answering_data
from adapt_nlp.question_answering.metrics import METRICS, V2_METRICS, squad_scores
from adapt_nlp.question_answering.spans import Found, best_spans

if TYPE_CHECKING:
    from torch import nn

_PREDICTED_AT_ONCE = 16

NO_ANSWER = "(no answer)"
"""What samples show for an unanswerable question."""


class QuestionAnswering(LanguageTask):
    """The task question_answering."""

    auto_class = "AutoModelForQuestionAnswering"
    head_names = ("qa_outputs",)

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._rows: list[tuple[Any, Any]] = []

    @property
    def _metrics(self) -> dict[str, str]:
        return V2_METRICS if self.plan.task.params.squad_v2_format else METRICS

    def check(self) -> None:
        """Data and model are there; windows overlap by less than their length."""
        params = self.plan.task.params
        if params.doc_stride >= params.max_length - 8:
            raise InputError(f"doc_stride {params.doc_stride} must be well below max_length {params.max_length}.")
        if self.plan.data.format_string:
            raise InputError("FORMAT_STRING makes one text; question answering takes a context and a question column.")
        self.require_metric(list(self._metrics))
        super().check()

    def _limit(self, config: Any) -> int:
        positions = positions_of(config)
        wanted = int(self.plan.task.params.max_length)
        if positions is not None and positions < wanted:
            raise InputError(f"max_length {wanted} is more than the {positions} positions of the model.")
        return wanted

    def load_data(self) -> TaskData:
        """The splits as windows with `start_positions` and `end_positions` (tokens)."""
        tokenizer = require_fast(self.tokenizer, self.source, "answers are found by their characters")
        data, self._rows = answering_data.load(self.plan, tokenizer, self._limit(self.config))
        return data

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """A model with two logits, start and end, for each token."""
        return self.load_base({}, quantizer, world)

    @property
    def collator(self) -> Any:
        from adapt_nlp.collate import PadWithPositions

        return PadWithPositions(self.tokenizer)

    def make_loop(self, job: Job) -> Loop:
        """A Trainer that pads each batch to its longest window."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        parts = TrainerComponents(
            collate=self.collator,
            score=self._score,
            metrics=self._metrics,
            preprocess_logits=lambda logits, _labels: tuple(logits[:2]),
            processing_class=self.tokenizer,
        )
        return HuggingFaceLoop(job, parts)

    def _score(self, prediction: Any, dataset: Any) -> dict[str, float]:
        rows = next(rows for windows, rows in self._rows if windows is dataset)
        context, _question, answers = answering_data.columns(self.plan)
        start, end = prediction.predictions[:2]
        by_row: dict[int, list[Any]] = defaultdict(list)
        facts = dataset.select_columns(["row", "starts", "ends", "null"])
        for number, window in enumerate(facts):
            by_row[window["row"]].append((start[number], end[number], window["starts"], window["ends"], window["null"]))
        predicted, gold = [], []
        for number, row in enumerate(rows.select_columns([context, answers])):
            found = self._found(by_row[number])
            predicted.append(self._answer(found, row[context])["answer"])
            gold.append([text for text, _ in answering_data.gold_of(row[answers])])
        return squad_scores(predicted, gold, self.plan.task.params.squad_v2_format)

    def _found(self, windows: Iterable[Any]) -> Found:
        params = self.plan.task.params
        return best_spans(windows, params.n_best_size, params.max_answer_length)

    def _answer(self, found: Found, context: str) -> dict[str, Any]:
        params = self.plan.task.params
        best = found.spans[0] if found.spans else None
        none = params.squad_v2_format and (
            best is None or found.null_score - best.score > params.null_score_diff_threshold
        )
        if best is None or none:
            return {"answer": "", "start": None, "end": None, "score": round(found.null_score, 6)}
        text = context[best.start : best.end]
        return {"answer": text, "start": best.start, "end": best.end, "score": round(best.score, 6)}

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """The tokens of windows, with those of the answer marked."""
        seen = []
        for example in spread_examples(data, count):
            first, last = example["start_positions"], example["end_positions"]
            tokens = example_tokens(self.tokenizer, example)
            seen.append([(token, "answer" if first <= place <= last else "") for place, token in enumerate(tokens)])
        return seen

    def loading_lines(self, save_method: str) -> str:
        """Loads model and tokenizer, and answers one question."""
        use = [
            'inputs = tokenizer("Where did Ada live?", "Ada Lovelace lived in London.", return_tensors="pt")',
            "outputs = model(**inputs)",
            "start, end = int(outputs.start_logits.argmax()), int(outputs.end_logits.argmax())",
            'answer = tokenizer.decode(inputs["input_ids"][0][start : end + 1])',
        ]
        return self.loading_with(use, save_method)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Files with the columns of context and question, or JSON objects that hold them.

        Raises:
            InputError: an argument is neither, or a text is missing.
        """
        context, question, _ = answering_data.columns(self.plan)
        records = read_records(arguments, self.plan, {context: "input_column", question: "input_question_column"})
        for number, record in enumerate(records, start=1):
            for name in (context, question):
                if text_fault(record.get(name)):
                    example = json.dumps({question: "Where did Ada live?", context: "Ada lived in London."})
                    raise InputError(f"input {number}: {name!r} {text_fault(record.get(name))}. Give {example}")
        return records

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each input {"question", "answer", "start", "end", "score"}; an empty answer means "unanswerable"."""
        return self._answered(model, self.saved_tokenizer(folder), inputs)

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """A few validation questions with their first gold answer, and the model's."""
        context, question, answers = answering_data.columns(self.plan)
        rows = data.rows["validation"]
        chosen = list(rows.select(spread(len(rows), count)))
        golds = [answering_data.gold_of(row[answers]) for row in chosen]
        return [
            {
                "input": {"question": row[question], "context": row[context]},
                "expected": gold[0][0] if gold else NO_ANSWER,
                "predicted": found["answer"] or NO_ANSWER,
            }
            for row, gold, found in zip(chosen, golds, self._answered(model, self.tokenizer, chosen), strict=True)
        ]

    def _answered(self, model: nn.Module, tokenizer: Any, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        import torch

        from adapt_nlp.collate import PadWithPositions

        context, question, _ = answering_data.columns(self.plan)
        pad = PadWithPositions(tokenizer)
        results = []
        module: Any = model
        for row in inputs:
            encoded, _rows, starts, ends, nulls = answering_data.encode_windows(
                tokenizer, [row[question]], [row[context]], self._limit(module.config), self.plan.task.params.doc_stride
            )
            windows = []
            for first in range(0, len(nulls), _PREDICTED_AT_ONCE):
                numbers = range(first, min(first + _PREDICTED_AT_ONCE, len(nulls)))
                batch = pad([{name: values[number] for name, values in encoded.items()} for number in numbers])
                with torch.inference_mode():
                    output = module(**{name: tensor.to(module.device) for name, tensor in batch.items()})
                begin, stop = output.start_logits.float().cpu().numpy(), output.end_logits.float().cpu().numpy()
                windows += [(begin[n - first], stop[n - first], starts[n], ends[n], nulls[n]) for n in numbers]
            results.append({"question": row[question], **self._answer(self._found(windows), row[context])})
        return results
