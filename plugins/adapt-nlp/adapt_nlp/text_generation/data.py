"""From rows to documents: token ids with labels, none longer than the limit."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.errors import DataError
from adapt_core.hf.data.cache import cached_map, tokenizer_key
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.splits import clean_splits, load_splits

from adapt_nlp.text_generation.chat import Span, give_template
from adapt_nlp.text_generation.row_formats import INSTRUCTION_INPUT, Form, faults, form_of, texts_of

if TYPE_CHECKING:
    from datasets import Dataset

SPLITS = ("train", "validation", "test")
IGNORED = -100
"""The label of a token that is no target; torch's cross-entropy leaves it out."""

log = logging.getLogger(__name__)


def load(plan: Plan, tokenizer: Any, limit: int) -> tuple[TaskData, Form]:
    """The splits as documents: `input_ids`, `labels` (IGNORED where nothing is learned), `targets` (how many are).

    A document's first token is never a target, so that no document predicts the one behind it. Text longer than the
    limit goes on in a further document; where answers are learned it is cut, since the rest would lack its question.

    Args:
        plan: the plan.
        tokenizer: not called before. It gets a chat template where one is needed and it has none.
        limit: the longest document in tokens.

    Returns:
        the splits, and the form that the rows have.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    raw = load_splits(plan)
    form = form_of(plan, next(iter(raw.values())))
    for split, rows in raw.items():
        require_columns(rows, form.columns, split)
    if form.is_chat:
        give_template(tokenizer)
    splits, stats = clean_splits(plan, raw, lambda rows, _: faults(rows, form, plan, tokenizer))
    stats["form"] = form.kind
    key = {
        "tokenizer": tokenizer_key(tokenizer),
        "template": tokenizer.chat_template if form.is_chat else None,
        "limit": limit,
        "form": [form.kind, form.names],
        "format": [plan.data.format_string, plan.data.format_names],
        "loss_on": plan.task.params.loss_on,
        "version": 1,
    }
    ready: dict[str, Any] = {}
    for split, rows in splits.items():
        encode = _encoder(form, plan, tokenizer, limit, INSTRUCTION_INPUT in rows.column_names)
        documents = cached_map(rows, encode, key, f"{split} split tokenized")
        ready[split] = _with_targets(documents, split, limit, stats)
    return TaskData(stats=stats, rows=splits, **ready), form


def _encoder(form: Form, plan: Plan, tokenizer: Any, limit: int, has_input: bool) -> Any:
    columns = [*dict.fromkeys([*form.names, *([INSTRUCTION_INPUT] if has_input else [])])]

    def encode(batch: dict[str, list[Any]]) -> dict[str, Any]:
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*(batch[c] for c in columns), strict=True)]
        texts = [part for row in rows for part in texts_of(row, form, plan, tokenizer)]
        encoded = tokenizer(
            [text for text, _ in texts],
            # A chat template writes the special tokens itself.
            add_special_tokens=not form.is_chat,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        ends = None if form.is_chat else tokenizer.eos_token_id
        found: dict[str, list[Any]] = {"input_ids": [], "labels": [], "targets": [], "cut": []}
        for number, (_, spans) in enumerate(texts):
            ids = encoded["input_ids"][number]
            labels = _labels(ids, encoded["offset_mapping"][number], spans)
            if ends is not None and ids[-1:] != [ends]:
                ids, labels = [*ids, ends], [*labels, ends]
            for piece in _pieces(ids, labels, limit, goes_on=spans is None and not form.is_chat):
                for name, value in zip(found, piece, strict=True):
                    found[name].append(value)
        return found

    return encode


def _labels(ids: list[int], offsets: list[Span], spans: list[Span] | None) -> list[int]:
    if spans is None:
        return list(ids)
    labels = [IGNORED] * len(ids)
    for place, (start, stop) in enumerate(offsets):
        if stop > start and any(first <= start < last for first, last in spans):
            labels[place] = ids[place]
    return labels


def _pieces(
    ids: list[int], labels: list[int], limit: int, *, goes_on: bool
) -> Iterator[tuple[list[int], list[int], int, bool]]:
    """Documents of at most `limit` tokens: (ids, labels, targets, whether it was cut)."""
    for start in range(0, len(ids) if goes_on else 1, limit):
        piece, wanted = ids[start : start + limit], [IGNORED, *labels[start + 1 : start + limit]]
        learned = [place for place, label in enumerate(wanted) if label != IGNORED]
        # Nothing is learned behind the last target, and no target looks there.
        stop = learned[-1] + 1 if learned else min(len(piece), 1)
        yield piece[:stop], wanted[:stop], len(learned), not goes_on and len(ids) > limit


def _with_targets(documents: Dataset, split: str, limit: int, stats: dict[str, Any]) -> Dataset:
    import numpy

    targets = numpy.asarray(documents.with_format("numpy")["targets"][:], dtype=numpy.int64)
    cut = int(numpy.count_nonzero(documents.with_format("numpy")["cut"][:]))
    kept = numpy.flatnonzero(targets)
    if not len(kept):
        raise DataError(
            f"no document of the {split} split has anything to learn within max_seq_length {limit}: "
            "the prompts alone are as long. Raise max_seq_length."
        )
    lost = len(documents) - len(kept)
    if cut:
        log.warning("%s split: %d of %d documents are cut at %d tokens", split, cut, len(documents), limit)
    if lost:
        log.warning("%s split: %d documents with nothing to learn are left out", split, lost)
        documents = documents.select(kept)
    stats.update(
        {
            f"{split}_documents": len(documents),
            f"{split}_cut": cut,
            f"{split}_left_out": lost,
            f"{split}_tokens": int(lengths_of(documents).sum()),
            f"{split}_targets": int(targets.sum()),
        }
    )
    return documents


def lengths_of(documents: Dataset) -> Any:
    """The tokens of each document, an int64 array."""
    import numpy
    import pyarrow.compute

    # A batch at a time: the whole column would be copied out of the memory-mapped file.
    batches = documents.select_columns(["input_ids"]).with_format("arrow").iter(10_000)
    lengths = [pyarrow.compute.list_value_length(batch["input_ids"]) for batch in batches]
    return numpy.concatenate([numpy.asarray(part, dtype=numpy.int64) for part in lengths])
