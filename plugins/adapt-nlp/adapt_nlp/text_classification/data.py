"""Texts with their labels or numbers: validated, numbered, tokenized."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.cache import Batch
from adapt_core.hf.data.rows import Encoding, prepare_rows
from adapt_core.hf.data.splits import count_truncated, load_splits
from adapt_core.hf.data.texts import batch_texts, input_column, row_text, text_columns, text_faults
from adapt_core.hf.problems.choice import choose_problem, describe, required_targets, target_columns
from adapt_core.hf.problems.kinds import REGRESSION
from adapt_core.hf.problems.targets import batch_values, labels_of, row_value, target_values

from adapt_nlp.params import TextClassificationParams
from adapt_nlp.text_classification.end_token import end_fault

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


def required_columns(plan: Plan[TextClassificationParams]) -> list[tuple[str, str]]:
    """Return the columns of text and target, each with the key that names it."""
    return [*text_columns(plan), *required_targets(plan)]


def prepare_texts(
    plan: Plan[TextClassificationParams], tokenizer: PreTrainedTokenizerBase, limit: int, end: str | None
) -> TaskData:
    """Return the splits as token ids with the targets that a model learns.

    Args:
        plan: the plan.
        tokenizer: not called before.
        limit: the longest input in tokens.
        end: see `end_token`: no text may contain it.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    columns = target_columns(plan)
    raw = load_splits(plan, required_columns(plan), columns[0])
    choice = choose_problem(plan, raw.get("train", raw.get("validation")), columns)
    targets = choice.targets

    def faults(rows: Dataset, split: str) -> Iterator[str | None]:
        target_fault = targets.fault if split == "train" else targets.unseen_fault
        for text_fault, value in zip(text_faults(rows, plan, more), target_values(rows, columns), strict=True):
            yield text_fault or target_fault(value)

    def more(text: str) -> str | None:
        return end_fault(text, end)

    def encode(batch: Batch, _numbers: Sequence[int]) -> dict[str, Any]:
        encoded = dict(tokenizer(batch_texts(batch, plan), truncation=True, max_length=limit))
        return {**encoded, "labels": [targets.encode(value) for value in batch_values(batch, columns)]}

    def finish(encoded: Dataset, split: str) -> tuple[Dataset, dict[str, int]]:
        return encoded, {"truncated": count_truncated(encoded, "input_ids", limit, f"{split} split: texts")}

    def named(row: Mapping[str, Any]) -> list[str]:
        return labels_of(targets.encode(row_value(row, columns)), targets.names)

    key = {
        "limit": limit,
        "text": plan.data.format_string or input_column(plan),
        "names": plan.data.format_names,
        "label": columns,
        "labels": targets.names,
        "targets": repr(targets),
        "version": 2,
    }
    data = prepare_rows(
        plan,
        tokenizer,
        raw,
        faults,
        Encoding(
            encode=encode,
            key=key,
            finish=finish,
            texts=lambda row: [row_text(row, plan)],
            labels=named if targets.kind != REGRESSION else None,
        ),
        strata=lambda rows: targets.strata(list(target_values(rows, columns))),
    )
    describe(choice, data)
    return data
