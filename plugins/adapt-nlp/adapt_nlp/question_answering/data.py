"""Questions, contexts and answers: validated, and cut into overlapping windows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.cache import cached_map, tokenizer_key
from adapt_core.hf.data.columns import text_fault
from adapt_core.hf.data.splits import clean_splits, load_splits

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


def columns(plan: Plan) -> tuple[str, str, str]:
    """The columns of context, question and answers."""
    context = str(plan.data.input_column or "context")
    return context, plan.task.params.input_question_column, str(plan.data.target_column or "answers")


def load(plan: Plan, tokenizer: Any, limit: int) -> tuple[TaskData, list[tuple[Any, Dataset]]]:
    """The splits as windows, with the questions that each split's windows come from.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    context, question, answers = columns(plan)
    keys = ("input_column", "input_question_column", "target_column")
    raw = load_splits(plan, list(zip((context, question, answers), keys, strict=True)))
    room = limit - plan.task.params.doc_stride - tokenizer.num_special_tokens_to_add(pair=True)
    splits, stats = clean_splits(plan, raw, lambda rows, _: _faults(rows, plan, tokenizer, room))
    key = {
        "tokenizer": tokenizer_key(tokenizer),
        "limit": limit,
        "stride": plan.task.params.doc_stride,
        "columns": [context, question, answers],
        "version": 1,
    }
    ready: dict[str, Any] = {}
    for split, rows in splits.items():
        numbered = rows.select_columns([context, question, answers]).add_column("row", list(range(len(rows))))
        ready[split] = cached_map(numbered, _encoder(plan, tokenizer, limit), key, f"{split} windows")
        stats[f"{split}_windows"] = len(ready[split])
    pairs = [(ready[split], splits[split]) for split in splits]
    data = TaskData(stats=stats, rows=splits, **{s: ready.get(s) for s in ("train", "validation", "test")})
    return data, pairs


def gold_of(answers: Any) -> list[tuple[str, int]]:
    """(text, answer_start) of each gold answer, from a mapping of lists or a list of mappings."""
    if isinstance(answers, list):
        return [(answer["text"], answer["answer_start"]) for answer in answers]
    return list(zip(answers["text"], answers["answer_start"], strict=True))


def _faults(rows: Dataset, plan: Plan, tokenizer: Any, room: int) -> Iterator[str | None]:
    context, question, answers = columns(plan)
    for row in rows.select_columns([context, question, answers]):
        fault = next(
            (f"column {name!r} {text_fault(row[name])}" for name in (context, question) if text_fault(row[name])), None
        )
        fault = fault or _answer_fault(row[context], row[answers], answers, plan.task.params.squad_v2_format)
        if fault is None and len(row[question]) >= room:
            tokens = len(tokenizer.tokenize(row[question].strip()))
            if tokens >= room:
                fault = f"the question has {tokens} tokens; max_length and doc_stride leave room for {room - 1}"
        yield fault


def _answer_fault(context: str, answers: Any, column: str, v2: bool) -> str | None:
    try:
        gold = gold_of(answers)
    except (TypeError, KeyError, ValueError):
        return f"column {column!r} must hold text and answer_start, as many of one as of the other"
    if not gold and not v2:
        return f"column {column!r} has no answer (for unanswerable questions set squad_v2_format: true)"
    for text, start in gold:
        if not isinstance(text, str) or not text:
            return f"column {column!r} has an empty answer"
        if not isinstance(start, int) or start < 0 or context[start : start + len(text)] != text:
            return f"answer_start {start} does not match its text {text[:40]!r}"
    return None


def encode_windows(tokenizer: Any, questions: Sequence[str], contexts: Sequence[str], limit: int, stride: int) -> Any:
    """Windows of question and context pairs; of each its row, the characters of its tokens, and its null token.

    Returns:
        (encoding: the model's inputs by name, one list a window; rows; start characters; end characters; null
        indices). Characters are -1 for tokens outside the context.
    """
    encoded = tokenizer(
        [question.strip() for question in questions],
        list(contexts),
        truncation="only_second",
        max_length=limit,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    rows, offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
    starts, ends, nulls = [], [], []
    for number, places in enumerate(offsets):
        second = [part == 1 for part in encoded.sequence_ids(number)]
        starts.append([place[0] if inside else -1 for place, inside in zip(places, second, strict=True)])
        ends.append([place[1] if inside else -1 for place, inside in zip(places, second, strict=True)])
        ids = encoded["input_ids"][number]
        cls = tokenizer.cls_token_id
        nulls.append(ids.index(cls) if cls in ids else 0)
    return dict(encoded), rows, starts, ends, nulls


def _encoder(plan: Plan, tokenizer: Any, limit: int) -> Any:
    context, question, answers = columns(plan)

    def encode(batch: dict[str, list[Any]]) -> dict[str, Any]:
        encoded, rows, starts, ends, nulls = encode_windows(
            tokenizer, batch[question], batch[context], limit, plan.task.params.doc_stride
        )
        places = []
        for number, row in enumerate(rows):
            gold = gold_of(batch[answers][row])
            places.append(_tokens_of(gold[0] if gold else None, starts[number], ends[number], nulls[number]))
        return {
            **encoded,
            "start_positions": [place[0] for place in places],
            "end_positions": [place[1] for place in places],
            "row": [batch["row"][row] for row in rows],
            "starts": starts,
            "ends": ends,
            "null": nulls,
        }

    return encode


def _tokens_of(gold: tuple[str, int] | None, starts: Sequence[int], ends: Sequence[int], null: int) -> tuple[int, int]:
    """First and last token of an answer; the null token twice where it is not wholly in the window."""
    inside = [place for place, start in enumerate(starts) if start >= 0]
    if gold is None or not inside:
        return null, null
    first, last = gold[1], gold[1] + len(gold[0])
    if starts[inside[0]] > first or ends[inside[-1]] < last:
        return null, null
    begin = max(place for place in inside if starts[place] <= first)
    stop = min(place for place in inside if ends[place] >= last)
    return begin, stop
