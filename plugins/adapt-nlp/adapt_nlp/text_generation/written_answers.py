"""What a model answers to rows of a split in an evaluation, beside what the rows have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy

from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluated_rows import EvaluatedRows, sums
from adapt_core.evaluation import spread
from adapt_core.uncertainty.corpus_scores import chrf

from adapt_nlp.metrics.rouge import rouge_rows
from adapt_nlp.metrics.row_scores import Means
from adapt_nlp.metrics.texts import chrf_counts, exact_match, token_f1
from adapt_nlp.text_generation.alike import Writer
from adapt_nlp.text_generation.predict import prompt_tokens
from adapt_nlp.text_generation.row_texts import RowTexts
from adapt_nlp.text_generation.shared_writing import write_texts

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedTokenizerBase

_COST = 4.0
"""Of the metrics of a row, see `EvaluatedRows.cost`."""


@attrs.frozen
class Question:
    """A row that is answered: its position in the split, its prompt as text and as tokens, and the expected answer."""

    position: int
    asked: str
    tokens: list[int]
    expected: str


@attrs.define(kw_only=True)
class WrittenAnswers:
    """Answers rows of the evaluated splits, the same ones in each evaluation.

    Attributes:
        rows: split -> its good rows.
        texts: reads rows as prompts and answers.
        count: rows to answer, spread over a split.
        is_chat: whether the rows are conversations.
        world: this process.
        writer: model -> what writes.
    """

    rows: Mapping[str, Any]
    texts: RowTexts
    count: int
    is_chat: bool
    world: World
    writer: Callable[[nn.Module], Writer]
    _questions: dict[str, list[Question]] = attrs.field(factory=dict, init=False)

    def __call__(self, model: nn.Module, split: str) -> EvaluatedRows | None:
        """Return what the model answers; None where the split has no rows that can be asked.

        Args:
            model: in evaluation mode, the same on every process.
            split: "validation", "test", or the key of a data set of ALSO_EVALUATE in `TaskData.rows`.
        """
        writer = self.writer(model)
        if split not in self._questions:
            given = self.rows.get(split)
            self._questions[split] = [] if given is None else self._asked(given, model, writer.tokenizer)
        questions = self._questions[split]
        if not questions:
            return None
        written = write_texts(writer, [question.tokens for question in questions], self.world)
        return answered(questions, written)

    def asked(self, split: str) -> Mapping[int, str]:
        """Return the prompts that were answered, by the position of their row."""
        return {question.position: question.asked for question in self._questions.get(split, ())}

    def _asked(self, rows: Dataset, model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> list[Question]:
        found = []
        for position in spread(len(rows), self.count):
            prompt, expected = self.texts.split(rows[position])
            try:
                [tokens] = prompt_tokens(model, tokenizer, {"": prompt}, is_chat=self.is_chat)
            except InputError:  # a prompt that fills the model's positions, or that has no text
                continue
            found.append(Question(position, prompt.text, tokens, expected))
        return found


def answered(questions: Sequence[Question], written: Sequence[str]) -> EvaluatedRows:
    """Return what was written for questions as evaluated rows, with the default metrics of written texts."""
    expected = [question.expected for question in questions]
    values = _by_row(written, expected)
    means = Means(values)
    counts = chrf_counts(written, expected)

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        return {**means.measure(sample), "chrf": float(chrf(sums(counts, sample)[None])[0])}

    return EvaluatedRows(
        kind="text",
        rows=[question.position for question in questions],
        expected=expected,
        predicted=list(written),
        right=[bool(value) for value in values["exact_match"]],
        ratios={name: (each, numpy.ones(len(each))) for name, each in values.items()},
        counted={"chrf": counts},
        cost=_COST,
        measure=measure,
    )


def _by_row(written: Sequence[str], expected: Sequence[str]) -> dict[str, NDArray[numpy.float64]]:
    """Return the metrics that are means over rows, of each row."""
    metrics: dict[str, Callable[[list[str], list[str]], float]] = {
        "exact_match": exact_match,
        "token_f1": token_f1,
    }
    pairs = list(zip(written, expected, strict=True))
    each = {name: numpy.array([one([found], [wanted]) for found, wanted in pairs]) for name, one in metrics.items()}
    return {**each, **rouge_rows(written, expected, kinds=("rougeL",)).values}
