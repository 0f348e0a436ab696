"""Pairs of texts: validated and tokenized."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.cache import Batch
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.further import SPLITS
from adapt_core.hf.data.places import require_alike
from adapt_core.hf.data.rows import Encoding, prepare_rows
from adapt_core.hf.data.splits import count_truncated, leave_out_unlabelled_test, load_splits

from adapt_nlp.params import Seq2SeqParams
from adapt_nlp.seq2seq.text_fields import Source, TextField

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

Fields = Callable[["Dataset", str], tuple[Source, TextField]]
"""(rows, split) -> where source and target are in them."""


@attrs.frozen
class Limits:
    """The longest source and the longest target in tokens."""

    source: int
    target: int


def prepare_pairs(
    plan: Plan[Seq2SeqParams], tokenizer: PreTrainedTokenizerBase, limits: Limits, find_fields: Fields
) -> TaskData:
    """Return the splits as token ids (`input_ids`, `attention_mask`) with `labels` (the target's token ids).

    Args:
        plan: the plan.
        tokenizer: its languages are set.
        limits: in tokens.
        find_fields: see `Fields`.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    raw = load_splits(plan)
    for split, rows in raw.items():
        require_alike(rows, split, partial(_form, find_fields, split))
    first = next(iter(raw))
    leave_out_unlabelled_test(raw, find_fields(raw[first], first)[1].column, plan)
    fields = {split: find_fields(rows, split) for split, rows in raw.items()}
    for split, rows in raw.items():
        _require(fields[split], rows, split)
    prefix = plan.task.params.prefix or ""

    def fields_of(rows: Dataset, split: str) -> tuple[Source, TextField]:
        if split in fields:
            return fields[split]
        if split in SPLITS:  # a validation split that was held out has the fields of the split that it comes from
            return next(iter(fields.values()))
        found = fields[split] = find_fields(rows, split)  # a data set of ALSO_EVALUATE
        _require(found, rows, split)
        return found

    def faults(rows: Dataset, split: str) -> Iterator[str | None]:
        source, target = fields_of(rows, split)
        for row in rows.select_columns(_column_names(source, target)):
            yield source.fault(row) or target.fault(row)

    def encoding(rows: Dataset, split: str) -> Encoding:
        source, target = fields_of(rows, split)
        columns = _column_names(source, target)

        def encode(batch: Batch, _numbers: Sequence[int]) -> dict[str, Any]:
            cells = zip(*(batch[column] for column in columns), strict=True)
            pairs = [dict(zip(columns, values, strict=True)) for values in cells]
            inputs = encode_sources(tokenizer, [str(source.text(row)) for row in pairs], prefix, limits.source)
            texts = [target.text(row) for row in pairs]
            targets = tokenizer(text_target=texts, max_length=limits.target, truncation=True)
            end, adds_end = tokenizer.eos_token_id, _adds_end(tokenizer)
            labels = [_ended_once(ids, end, limits.target, adds_end=adds_end) for ids in targets["input_ids"]]
            return {**inputs, "labels": labels}

        key = {
            "languages": [str(getattr(tokenizer, name, None)) for name in ("src_lang", "tgt_lang")],
            "limits": attrs.astuple(limits),
            "prefix": prefix,
            "format": [plan.data.format_string, plan.data.format_names],
            "fields": [[*field.columns, getattr(field, "language", None)] for field in (source, target)],
            "version": 2,
        }
        return Encoding(
            encode=encode,
            key=key,
            finish=finish,
            texts=lambda row: [str(source.text(row))],
            targets=lambda row: [target.text(row)],
        )

    def finish(encoded: Dataset, split: str) -> tuple[Dataset, dict[str, int]]:
        return encoded, {
            "truncated": count_truncated(encoded, "input_ids", limits.source, f"{split} split: inputs"),
            "targets_truncated": count_truncated(encoded, "labels", limits.target, f"{split} split: targets"),
        }

    data = prepare_rows(plan, tokenizer, raw, faults, encoding)
    if tokenizer.eos_token_id is not None and not _adds_end(tokenizer):
        log.warning(
            "the tokenizer adds no end to targets: they end with %s, where generation stops", tokenizer.eos_token
        )
    return data


def _adds_end(tokenizer: PreTrainedTokenizerBase) -> bool:
    return tokenizer.eos_token_id in tokenizer(text_target="a")["input_ids"]


def _ended_once(ids: list[int], end: int | None, limit: int, *, adds_end: bool) -> list[int]:
    """Return a target with the end token once, where the tokenizer knows one; other special tokens may follow it."""
    if end is None:
        return ids
    if not adds_end:
        ids = [*ids[: limit - 1], end]
    while ids[-2:] == [end, end]:  # the text spelled it, too
        ids = ids[:-1]
    return ids


def _form(find_fields: Fields, split: str, rows: Dataset) -> str:
    return f"pairs of {' and '.join(_column_names(*find_fields(rows, split)))}"


def _require(fields: tuple[Source, TextField], rows: Dataset, split: str) -> None:
    require_columns(rows.column_names, [column for field in fields for column in field.columns], split)


def _column_names(source: Source, target: TextField) -> list[str]:
    return list(dict.fromkeys(name for field in (source, target) for name, _ in field.columns))


def encode_sources(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], prefix: str, limit: int, **options: Any
) -> dict[str, Any]:
    """Return `input_ids` and `attention_mask` of texts with PREFIX before them.

    Args:
        tokenizer: of the model.
        texts: any number.
        prefix: may be empty.
        limit: the longest input in tokens.
        options: further arguments of the tokenizer (padding, return_tensors).
    """
    encoded = tokenizer([prefix + text for text in texts], max_length=limit, truncation=True, **options)
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}
