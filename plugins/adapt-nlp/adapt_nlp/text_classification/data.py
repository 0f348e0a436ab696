"""Texts and labels: validated, numbered, tokenized."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.cache import cached_map, tokenizer_key
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.labels import Labels, read_labels, unseen_fault
from adapt_core.hf.data.labels import class_weights as weights_of
from adapt_core.hf.data.splits import clean_splits, count_truncated, load_splits
from adapt_core.hf.data.texts import batch_texts, input_column, text_columns, text_faults

if TYPE_CHECKING:
    from datasets import Dataset


def load(plan: Plan, tokenizer: Any, limit: int) -> TaskData:
    """The splits as token ids with label ids.

    Args:
        plan: the plan.
        tokenizer: not called before.
        limit: the longest input in tokens.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    label = target_column(plan)
    raw = load_splits(plan, [*text_columns(plan), (label, "target_column")])
    labels = read_labels(raw.get("train", raw.get("validation")), label)
    splits, stats = clean_splits(
        plan,
        raw,
        lambda rows, split: _faults(rows, split, labels, plan),
        lambda rows: list(column_values(rows, label)),
    )
    stats["classes"] = len(labels.names)
    key = {
        "tokenizer": tokenizer_key(tokenizer),
        "limit": limit,
        "text": plan.data.format_string or input_column(plan),
        "names": plan.data.format_names,
        "label": label,
        "labels": [repr(value) for value in labels.ids],
        "version": 1,
    }
    ready = {}
    for split, dataset in splits.items():
        encode = _encoder(tokenizer, limit, labels, plan, label)
        ready[split] = cached_map(dataset, encode, key, f"{split} split tokenized")
        stats[f"{split}_truncated"] = count_truncated(ready[split], "input_ids", limit, f"{split} split: texts")
    return TaskData(
        labels=labels.names,
        stats=stats,
        rows=splits,
        **{split: ready.get(split) for split in ("train", "validation", "test")},
    )


def target_column(plan: Plan) -> str:
    """The column of the class: target_column, else `label`."""
    return str(plan.data.target_column or "label")


def _faults(dataset: Dataset, split: str, labels: Labels, plan: Plan) -> Iterator[str | None]:
    seen = labels.fault if split == "train" else lambda value: unseen_fault(value, labels)
    for fault, value in zip(text_faults(dataset, plan), column_values(dataset, target_column(plan)), strict=True):
        yield fault or seen(value)


def _encoder(tokenizer: Any, limit: int, labels: Labels, plan: Plan, label: str) -> Any:
    def encode(batch: dict[str, list[Any]]) -> dict[str, Any]:
        encoded = dict(tokenizer(batch_texts(batch, plan), truncation=True, max_length=limit))
        encoded["labels"] = [labels.ids[value] for value in batch[label]]
        return encoded

    return encode


def class_weights(plan: Plan, data: TaskData) -> list[float] | None:
    """Loss weights by class id (CLASS_WEIGHTS), or None; see `adapt_core.hf.data.labels.class_weights`."""
    if data.train is None:
        return None
    return weights_of(plan.task.params.class_weights, column_values(data.train, "labels"), data.labels or ())
