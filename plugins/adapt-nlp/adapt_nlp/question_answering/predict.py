"""Answers to questions: from logits of windows, and from raw questions and contexts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from adapt_core.config.plan import Plan

from adapt_nlp.params import QuestionAnsweringParams
from adapt_nlp.question_answering.collate import PadWithPositions
from adapt_nlp.question_answering.data import columns
from adapt_nlp.question_answering.spans import Candidates, WindowLogits, best_spans
from adapt_nlp.question_answering.windows import Windows, cut_windows

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedTokenizerBase

_BATCH_SIZE = 16


class Answer(TypedDict):
    """An answer with its characters in the context (None for "unanswerable") and its score."""

    answer: str
    start: int | None
    end: int | None
    score: float


def evaluated_answers(
    logits: tuple[NDArray[Any], NDArray[Any]], windows: Dataset, rows: Dataset, plan: Plan[QuestionAnsweringParams]
) -> Iterator[Answer]:
    """Yield the answer to each question of an evaluated split.

    Args:
        logits: of the starts and ends of all windows, float arrays (windows, tokens).
        windows: the split's windows, in that order.
        rows: the split's raw rows.
        plan: the plan.
    """
    by_row: dict[int, list[WindowLogits]] = defaultdict(list)
    for number, window in enumerate(windows.select_columns(["row", "starts", "ends", "null"])):
        found = WindowLogits(logits[0][number], logits[1][number], window["starts"], window["ends"], window["null"])
        by_row[window["row"]].append(found)
    context, _, _ = columns(plan)
    for number, row in enumerate(rows.select_columns([context]), start=windows[0]["row"]):
        yield _best_answer(by_row[number], row[context], plan.task.params)


def answer_questions(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    records: Iterable[Mapping[str, str]],
    plan: Plan[QuestionAnsweringParams],
    limit: int,
) -> list[Answer]:
    """Return the answer of a model to each record.

    Args:
        model: in evaluation mode.
        tokenizer: of the model.
        records: with the columns of context and question.
        plan: for the columns and parameters.
        limit: the longest window in tokens.
    """
    context, question, _ = columns(plan)
    params = plan.task.params
    answers = []
    for record in records:
        windows = cut_windows(tokenizer, [record[question]], [record[context]], limit, params.doc_stride)
        answers.append(_best_answer(_window_logits(model, tokenizer, windows), record[context], params))
    return answers


def _window_logits(model: nn.Module, tokenizer: PreTrainedTokenizerBase, windows: Windows) -> Iterator[WindowLogits]:
    module: Any = model
    pad = PadWithPositions(tokenizer)
    for first in range(0, len(windows), _BATCH_SIZE):
        numbers = range(first, min(first + _BATCH_SIZE, len(windows)))
        batch = pad([{name: values[number] for name, values in windows.encoding.items()} for number in numbers])
        with torch.inference_mode():
            output = module(**{name: tensor.to(module.device) for name, tensor in batch.items()})
        start, end = output.start_logits.float().cpu().numpy(), output.end_logits.float().cpu().numpy()
        for n in numbers:
            yield WindowLogits(start[n - first], end[n - first], windows.starts[n], windows.ends[n], windows.nulls[n])


def _best_answer(windows: Iterable[WindowLogits], context: str, params: QuestionAnsweringParams) -> Answer:
    candidates: Candidates = best_spans(windows, params.n_best_size, params.max_answer_length)
    span = candidates.answer(params.null_score_diff_threshold if params.squad_v2_format else None)
    if span is None:
        return {"answer": "", "start": None, "end": None, "score": round(candidates.null_score, 6)}
    text = context[span.start : span.end]
    return {"answer": text, "start": span.start, "end": span.end, "score": round(span.score, 6)}
