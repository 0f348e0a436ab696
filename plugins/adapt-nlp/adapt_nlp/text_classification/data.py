"""Texts with a class each: validated, numbered, tokenized."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data import labels as class_labels
from adapt_core.hf.data.cache import Batch
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.labels import read_labels
from adapt_core.hf.data.rows import Encoding, prepare_rows
from adapt_core.hf.data.splits import count_truncated, load_splits
from adapt_core.hf.data.texts import batch_texts, input_column, row_text, text_columns, text_faults

from adapt_nlp.params import TextClassificationParams
from adapt_nlp.text_classification.end_token import end_fault

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


def required_columns(plan: Plan[TextClassificationParams]) -> list[tuple[str, str]]:
    """Return the columns of text and label, each with the key that names it."""
    return [*text_columns(plan), (target_column(plan), "target_column")]


def prepare_texts(
    plan: Plan[TextClassificationParams], tokenizer: PreTrainedTokenizerBase, limit: int, end: str | None
) -> TaskData:
    """Return the splits as token ids with label ids.

    Args:
        plan: the plan.
        tokenizer: not called before.
        limit: the longest input in tokens.
        end: see `end_token`: no text may contain it.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    target = target_column(plan)
    raw = load_splits(plan, required_columns(plan), target)
    labels = read_labels(raw.get("train", raw.get("validation")), target)

    def faults(rows: Dataset, split: str) -> Iterator[str | None]:
        label_fault = labels.fault if split == "train" else labels.unseen_fault
        for text_fault, label in zip(text_faults(rows, plan, more), column_values(rows, target), strict=True):
            yield text_fault or label_fault(label)

    def more(text: str) -> str | None:
        return end_fault(text, end)

    def encode(batch: Batch, _numbers: Sequence[int]) -> dict[str, Any]:
        encoded = dict(tokenizer(batch_texts(batch, plan), truncation=True, max_length=limit))
        return {**encoded, "labels": [labels.id_of(value) for value in batch[target]]}

    def finish(encoded: Dataset, split: str) -> tuple[Dataset, dict[str, int]]:
        return encoded, {"truncated": count_truncated(encoded, "input_ids", limit, f"{split} split: texts")}

    key = {
        "limit": limit,
        "text": plan.data.format_string or input_column(plan),
        "names": plan.data.format_names,
        "label": target,
        "labels": labels.names,
        "version": 1,
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
            labels=lambda row: [labels.names[labels.id_of(row[target])]],
        ),
        strata=lambda rows: list(column_values(rows, target)),
    )
    data.labels = labels.names
    data.stats["classes"] = len(labels.names)
    return data


def target_column(plan: Plan[TextClassificationParams]) -> str:
    """Return the column of the class: target_column, or `label` where it is not given."""
    return str(plan.data.target_column or "label")


def class_weights(plan: Plan[TextClassificationParams], data: TaskData) -> list[float] | None:
    """Return the loss weights by class id (CLASS_WEIGHTS), or None; see `adapt_core.hf.data.labels.class_weights`."""
    if data.train is None:
        return None
    wanted = plan.task.params.class_weights
    return class_labels.class_weights(wanted, column_values(data.train, "labels"), data.labels or ())
