"""Questions, contexts and answers: validated, and cut into windows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.cache import Batch
from adapt_core.hf.data.columns import text_fault
from adapt_core.hf.data.rows import Encoding, count_windows, prepare_rows
from adapt_core.hf.data.splits import load_splits

from adapt_nlp.params import QuestionAnsweringParams
from adapt_nlp.question_answering.windows import answer_tokens, cut_windows

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

Answers = Mapping[str, Sequence[Any]] | list[Mapping[str, Any]]
"""The gold answers of a row: {"text": [...], "answer_start": [...]}, or a list of {"text", "answer_start"}."""


def columns(plan: Plan[QuestionAnsweringParams]) -> tuple[str, str, str]:
    """Return the columns of context, question and answers."""
    context = str(plan.data.input_column or "context")
    return context, plan.task.params.input_question_column, str(plan.data.target_column or "answers")


def required_columns(plan: Plan[QuestionAnsweringParams]) -> list[tuple[str, str]]:
    """Return the columns of context, question and answers, each with the key that names it."""
    keys = ("input_column", "input_question_column", "target_column")
    return list(zip(columns(plan), keys, strict=True))


def prepare_windows(plan: Plan[QuestionAnsweringParams], tokenizer: PreTrainedTokenizerBase, limit: int) -> TaskData:
    """Return the splits as windows.

    Each row is one window: the model's inputs, `start_positions` and `end_positions` (tokens), and for scoring `row`,
    `starts`, `ends` and `null` (see `Windows`).

    Args:
        plan: the plan.
        tokenizer: a fast one, not called before.
        limit: the longest window in tokens.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    context, question, answers = columns(plan)
    stride = plan.task.params.doc_stride
    raw = load_splits(plan, required_columns(plan), answers)
    room = limit - stride - tokenizer.num_special_tokens_to_add(pair=True)

    def encode(batch: Batch, numbers: Sequence[int]) -> dict[str, Any]:
        windows = cut_windows(tokenizer, batch[question], batch[context], limit, stride)
        golds = [gold_answers(row) for row in batch[answers]]
        tokens = [
            answer_tokens(golds[row][0] if golds[row] else None, starts, ends, null)
            for row, starts, ends, null in zip(windows.rows, windows.starts, windows.ends, windows.nulls, strict=True)
        ]
        return {
            **windows.encoding,
            "start_positions": [first for first, _ in tokens],
            "end_positions": [last for _, last in tokens],
            "row": [numbers[row] for row in windows.rows],
            "starts": windows.starts,
            "ends": windows.ends,
            "null": windows.nulls,
        }

    key = {"limit": limit, "stride": stride, "columns": [context, question, answers], "version": 1}
    encoding = Encoding(
        encode=encode,
        key=key,
        finish=count_windows,
        texts=lambda row: [row[question], row[context]],
        context=lambda row: str(row[context]),
    )
    return prepare_rows(plan, tokenizer, raw, lambda rows, _: _faults(rows, plan, tokenizer, room), encoding)


def gold_answers(answers: Answers) -> list[tuple[str, int]]:
    """Return (text, answer_start) of each gold answer.

    Raises:
        TypeError, KeyError, ValueError: it is neither form of `Answers`.
    """
    if isinstance(answers, list):
        return [(answer["text"], answer["answer_start"]) for answer in answers]
    return list(zip(answers["text"], answers["answer_start"], strict=True))


def _faults(
    rows: Dataset, plan: Plan[QuestionAnsweringParams], tokenizer: PreTrainedTokenizerBase, room: int
) -> Iterator[str | None]:
    context, question, answers = columns(plan)
    for row in rows.select_columns([context, question, answers]):
        fault = next(
            (f"column {name!r} {text_fault(row[name])}" for name in (context, question) if text_fault(row[name])), None
        )
        fault = fault or _answer_fault(
            row[context], row[answers], answers, unanswerable=plan.task.params.squad_v2_format
        )
        if fault is None and len(row[question]) >= room:
            tokens = len(tokenizer.tokenize(row[question].strip()))
            if tokens >= room:
                fault = f"the question has {tokens} tokens; max_length and doc_stride leave room for {room - 1}"
        yield fault


def _answer_fault(context: str, answers: Answers | str, column: str, *, unanswerable: bool) -> str | None:
    if isinstance(answers, str):
        if not answers.strip():
            return f"column {column!r} has an empty answer"
        place = max(context.find(answers), 0)
        example = json.dumps({"text": [answers[:40]], "answer_start": [place]}, ensure_ascii=False)
        return f"column {column!r} is text; it must say too where the answer begins in the context: {example}"
    try:
        gold = gold_answers(answers)
    except (TypeError, KeyError, ValueError):
        return f"column {column!r} must have text and answer_start, the same number of each"
    if not gold and not unanswerable:
        return f"column {column!r} has no answer (for unanswerable questions set squad_v2_format: true)"
    for text, start in gold:
        if not isinstance(text, str) or not text:
            return f"column {column!r} has an empty answer"
        if not isinstance(start, int) or start < 0 or context[start : start + len(text)] != text:
            place = context.find(text)
            begins = f"it begins at character {place}, counted from 0" if place >= 0 else "the context does not hold it"
            return f"answer_start {start} does not match its text {text[:40]!r}: {begins}"
    return None
