"""Words with a tag each: validated, numbered, cut into windows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.cache import Batch
from adapt_core.hf.data.labels import IGNORED
from adapt_core.hf.data.rows import Encoding, count_windows, prepare_rows
from adapt_core.hf.data.splits import load_splits

from adapt_nlp.params import TextClassificationParams
from adapt_nlp.token_classification.schemes import as_entity_tags, warn_of_runs
from adapt_nlp.token_classification.tags import Tags, input_column, read_tags, row_faults, target_column
from adapt_nlp.token_classification.windows import cut_windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)


def required_columns(plan: Plan[TextClassificationParams]) -> list[tuple[str, str]]:
    """Return the columns of words and tags, each with the key that names it."""
    return [(input_column(plan), "input_column"), (target_column(plan), "target_column")]


def prepare_windows(
    plan: Plan[TextClassificationParams], tokenizer: PreTrainedTokenizerBase, limit: int
) -> tuple[TaskData, Tags]:
    """Return the splits as windows of sub-tokens, and the tags.

    Each row is one window: the model's inputs, `labels` (IGNORED but at the first sub-token of a word, and where the
    training split does not have the tag), and for scoring `gold` (the labels with those tags kept), `words` and
    `document`.

    Args:
        plan: the plan.
        tokenizer: a fast one, not called before.
        limit: the longest window in sub-tokens.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    words, target = input_column(plan), target_column(plan)
    raw = load_splits(plan, required_columns(plan), target)
    tags = read_tags(raw, plan)
    if plan.task.params.subtask != "pos":
        warn_of_runs(as_entity_tags(tags.names[: tags.learned]))

    def encode(batch: Batch, numbers: Sequence[int]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {}
        tag_columns = batch[target]
        for window in cut_windows(tokenizer, batch[words], limit):
            ids = [tags.ids[tag] for tag in tag_columns[window.document]]
            gold = [ids[word] if word >= 0 else IGNORED for word in window.words]
            row = {
                **window.encoding,
                "labels": [tag if tag < tags.learned else IGNORED for tag in gold],
                "gold": gold,
                "words": window.words,
                "document": numbers[window.document],
            }
            for column, value in row.items():
                columns.setdefault(column, []).append(value)
        return columns

    key = {
        "limit": limit,
        "columns": [words, target],
        "tags": [[repr(tag), number] for tag, number in tags.ids.items()],
        "learned": tags.learned,
        "version": 2,
    }
    encoding = Encoding(
        encode=encode,
        key=key,
        finish=count_windows,
        texts=lambda row: [" ".join(row[words])],
        labels=lambda row: [tags.names[tags.ids[tag]] for tag in row[target]],
        words=lambda row: row[words],
    )
    data = prepare_rows(plan, tokenizer, raw, lambda rows, _: row_faults(rows, plan, tags), encoding)
    for split, rows in data.rows.items():
        windows = len(getattr(data, split, None) or ())
        if windows > len(rows):
            message = "%s split: documents longer than %d sub-tokens are cut; %d documents, %d windows"
            log.info(message, split, limit, len(rows), windows)
    data.labels = tags.names[: tags.learned]
    data.stats["classes"] = tags.learned
    return data, tags
