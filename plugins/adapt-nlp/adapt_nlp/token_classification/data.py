"""Words and tags: validated, numbered, cut into windows."""

from __future__ import annotations

import logging
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.cache import cached_map, tokenizer_key
from adapt_core.hf.data.splits import clean_splits, load_splits

from adapt_nlp.token_classification.tags import Tags, input_column, row_faults, tags_of, target_column
from adapt_nlp.token_classification.windows import IGNORED, windows

log = logging.getLogger(__name__)


def load(plan: Plan, tokenizer: Any, limit: int) -> tuple[TaskData, Tags]:
    """The splits as windows of sub-tokens.

    Each row is one window: what the model takes, `labels` (IGNORED but at the first sub-token of a word, and where
    training never had the tag), and for scoring `gold` (the same with unseen tags kept), `words` and `document`.

    Args:
        plan: the plan.
        tokenizer: a fast one, not called before.
        limit: the longest window in sub-tokens.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    words, target = input_column(plan), target_column(plan)
    raw = load_splits(plan, [(words, "input_column"), (target, "target_column")])
    tags = tags_of(raw, plan)
    splits, stats = clean_splits(plan, raw, lambda dataset, _split: row_faults(dataset, plan, tags))
    key = {
        "tokenizer": tokenizer_key(tokenizer),
        "limit": limit,
        "columns": [words, target],
        "tags": [repr(tag) for tag in tags.ids],
        "learned": tags.learned,
        "version": 1,
    }
    ready: dict[str, Any] = {}
    for split, dataset in splits.items():
        numbered = dataset.select_columns([words, target]).add_column("document", list(range(len(dataset))))
        ready[split] = cached_map(numbered, _encoder(tokenizer, limit, tags, words, target), key, f"{split} windows")
        stats[f"{split}_windows"] = len(ready[split])
        if len(ready[split]) > len(dataset):
            log.info(
                "%s split: some of the %d documents are longer than %d sub-tokens; %d windows",
                split,
                len(dataset),
                limit,
                len(ready[split]),
            )
    stats["classes"] = tags.learned
    data = TaskData(
        labels=tags.names[: tags.learned],
        stats=stats,
        rows=splits,
        **{split: ready.get(split) for split in ("train", "validation", "test")},
    )
    return data, tags


def _encoder(tokenizer: Any, limit: int, tags: Tags, words: str, target: str) -> Any:
    def encode(batch: dict[str, list[Any]]) -> dict[str, Any]:
        columns: dict[str, list[Any]] = {}
        for window in windows(tokenizer, batch[words], limit):
            ids = [tags.ids[tag] for tag in batch[target][window.document]]
            gold = [ids[word] if word >= 0 else IGNORED for word in window.words]
            row = {
                **window.encoding,
                "labels": [tag if tag < tags.learned else IGNORED for tag in gold],
                "gold": gold,
                "words": window.words,
                "document": batch["document"][window.document],
            }
            for column, value in row.items():
                columns.setdefault(column, []).append(value)
        return columns

    return encode
