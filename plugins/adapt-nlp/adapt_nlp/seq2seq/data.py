"""Pairs of texts: validated and tokenized."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.cache import cached_map, tokenizer_key
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.splits import clean_splits, count_truncated, load_splits

from adapt_nlp.seq2seq.text_fields import Formatted, Place

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

Places = Callable[["Dataset", str], tuple[Place | Formatted, Place]]


@attrs.frozen
class Limits:
    """The longest input and the longest target in tokens."""

    source: int
    target: int


def load(plan: Plan, tokenizer: Any, limits: Limits, places: Places) -> TaskData:
    """The splits as token ids (`input_ids`, `attention_mask`) with `labels` (the target's token ids).

    Args:
        plan: the plan.
        tokenizer: not called before, but for its languages.
        limits: in tokens.
        places: (rows, split) -> where source and target stand in them.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    raw = load_splits(plan)
    found = {split: places(rows, split) for split, rows in raw.items()}
    for split, rows in raw.items():
        require_columns(rows, [column for place in found[split] for column in place.columns], split)

    def faults(rows: Dataset, split: str) -> Any:
        source, target = found[split]
        names = list(dict.fromkeys(name for place in (source, target) for name, _ in place.columns))
        return (source.fault(row) or target.fault(row) for row in rows.select_columns(names))

    splits, stats = clean_splits(plan, raw, faults)
    prefix = plan.task.params.prefix or ""
    key = {
        "tokenizer": tokenizer_key(tokenizer),
        "languages": [str(getattr(tokenizer, name, None)) for name in ("src_lang", "tgt_lang")],
        "limits": attrs.astuple(limits),
        "prefix": prefix,
        "format": [plan.data.format_string, plan.data.format_names],
        "version": 1,
    }
    ready: dict[str, Any] = {}
    for split, rows in splits.items():
        source, target = found.get(split, next(iter(found.values())))
        places_key = [repr(place.columns) + str(getattr(place, "language", "")) for place in (source, target)]
        encode = _encoder(tokenizer, limits, prefix, source, target)
        ready[split] = cached_map(rows, encode, {**key, "places": places_key}, f"{split} split tokenized")
        stats[f"{split}_truncated"] = count_truncated(
            ready[split], "input_ids", limits.source, f"{split} split: inputs"
        )
        stats[f"{split}_targets_truncated"] = count_truncated(
            ready[split], "labels", limits.target, f"{split} split: targets"
        )
    return TaskData(stats=stats, rows=splits, **ready)


def _encoder(tokenizer: Any, limits: Limits, prefix: str, source: Place | Formatted, target: Place) -> Any:
    def encode(batch: dict[str, list[Any]]) -> dict[str, Any]:
        rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        inputs = encode_sources(tokenizer, [source.text(row) for row in rows], prefix, limits.source)
        targets = tokenizer(text_target=[target.text(row) for row in rows], max_length=limits.target, truncation=True)
        return {**inputs, "labels": targets["input_ids"]}

    return encode


def encode_sources(tokenizer: Any, texts: list[str], prefix: str, limit: int, **options: Any) -> dict[str, Any]:
    """`input_ids` and `attention_mask` of texts with PREFIX before them.

    Args:
        tokenizer: the model's.
        texts: any number.
        prefix: may be empty.
        limit: longest input in tokens.
        options: further arguments of the tokenizer (padding, return_tensors).
    """
    encoded = tokenizer([prefix + text for text in texts], max_length=limit, truncation=True, **options)
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}
