"""Rows of text as documents: token ids with labels, none longer than the limit."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.errors import DataError
from adapt_core.hf.data.cache import Batch
from adapt_core.hf.data.columns import column_values, require_columns, token_lengths
from adapt_core.hf.data.labels import IGNORED
from adapt_core.hf.data.places import require_alike
from adapt_core.hf.data.rows import Encoding, prepare_rows
from adapt_core.hf.data.splits import leave_out_unlabelled_test, load_splits, say_test_left_out

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.chat import common_length, render, say_how_answers_end
from adapt_nlp.text_generation.context_columns import CONTEXT, FUNCTIONS, TOOLS
from adapt_nlp.text_generation.marked_text import MarkedText, added_tokens, tokenize_marked
from adapt_nlp.text_generation.row_formats import RowFormat, find_row_format
from adapt_nlp.text_generation.row_texts import RowTexts
from adapt_nlp.text_generation.template_variables import (
    KNOWN_VARIABLES,
    TEMPLATE_VARIABLES,
    has_variable,
    read_variables,
)
from adapt_nlp.text_generation.templates import prepare_template
from adapt_nlp.text_generation.turns import ASSISTANT, turns_of
from adapt_nlp.text_generation.unread_keys import say_unread_columns

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

SPLITS = ("train", "validation", "test")

log = logging.getLogger(__name__)


def prepare_documents(
    plan: Plan[TextGenerationParams], tokenizer: PreTrainedTokenizerBase, limit: int
) -> tuple[TaskData, RowFormat]:
    """Return the splits as documents, and the format of the rows.

    Each row is one document: `input_ids`, `labels` (IGNORED where it is not trained on), `targets` (the number of
    labels that are not IGNORED) and `cut`. A document's first token is never a target, so that no document of a pack
    predicts the next one. Text longer than the limit becomes several documents; where answers are trained on, it is
    truncated, since the rest would lack its question.

    Args:
        plan: the plan.
        tokenizer: not called before. It gets a chat template where it needs one and has none, and one without the
            date of the day.
        limit: the longest document in tokens.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    raw = load_splits(plan)
    for split, rows in raw.items():
        require_alike(rows, split, lambda own: _form(find_row_format(plan, own, tokenizer)))
    row_format = find_row_format(plan, next(iter(raw.values())), tokenizer)
    _leave_out_unanswered_test(raw, row_format, plan)
    for split, rows in raw.items():
        require_columns(rows.column_names, row_format.columns, split)
    if row_format.is_chat:
        _prepare_conversations(plan, tokenizer)
    reader = RowTexts(row_format, plan, tokenizer)

    def encoding(rows: Dataset, split: str) -> Encoding:
        columns = row_format.columns_of(rows)
        say_unread_columns(split, rows.column_names, columns, len(rows))
        if row_format.is_chat:
            reader.unread.say(split)
            _say_given_columns(rows, row_format, split)
            _say_unused_columns(rows, row_format, reader, tokenizer, split)
        if row_format.is_chat and split == "train":
            _say_other_opening(rows[0], reader)

        def encode(batch: Batch, _numbers: Sequence[int]) -> dict[str, list[Any]]:
            cells = zip(*(batch[column] for column in columns), strict=True)
            batch_rows = [dict(zip(columns, values, strict=True)) for values in cells]
            texts = [text for row in batch_rows for text in reader.learned(row)]
            return _encode_texts(texts, row_format, tokenizer, limit)

        return Encoding(
            encode=encode,
            key=key,
            finish=lambda encoded, split: _drop_untrained(encoded, split, limit),
            texts=lambda row: [text.text for text in reader.learned(row)],
        )

    key = {
        "template": tokenizer.chat_template if row_format.is_chat else None,
        "template variables": plan.task.params.chat_template_kwargs,
        "limit": limit,
        "row format": attrs.astuple(row_format),
        "format": [plan.data.format_string, plan.data.format_names],
        "loss_on": plan.task.params.loss_on,
        "version": 4,
    }
    data = prepare_rows(plan, tokenizer, raw, lambda rows, _: reader.faults(rows), encoding)
    data.stats["form"] = row_format.kind
    return data, row_format


def _form(row_format: RowFormat) -> str:
    return f"{row_format.kind} ({', '.join(column for column, _ in row_format.columns)})"


def _leave_out_unanswered_test(raw: dict[str, Dataset], row_format: RowFormat, plan: Plan) -> None:
    """Remove a test split whose rows are asked and not answered, with a warning."""
    if row_format.kind == "text" or "test" not in raw or "train" not in raw:
        return
    column, key = row_format.columns[-1]
    if len(row_format.columns) > 1 and key == "target_column":
        leave_out_unlabelled_test(raw, column, plan)
        return
    turns = (
        [turns_of(cell) for cell in column_values(raw["test"], column)] if column in raw["test"].column_names else []
    )
    roles = {turn.get("role") for cell in turns if isinstance(cell, list) for turn in cell if isinstance(turn, Mapping)}
    if roles and ASSISTANT not in roles:
        say_test_left_out(plan, f"no answer of the assistant in column {column!r}")
        del raw["test"]


def _prepare_conversations(plan: Plan[TextGenerationParams], tokenizer: PreTrainedTokenizerBase) -> None:
    prepare_template(tokenizer)
    common = plan.task.params.chat_template_kwargs or {}
    if unknown := [name for name in common if not has_variable(tokenizer, name)]:
        log.warning("%s: the chat template has no variable %s", TEMPLATE_VARIABLES, ", ".join(map(repr, unknown)))
    say_how_answers_end(tokenizer, common)


def _say_given_columns(rows: Dataset, row_format: RowFormat, split: str) -> None:
    """Log which columns are given to the chat template: a template may name a variable as somebody names a column."""
    given = [name for name in row_format.variables if name in rows.column_names]
    if given:
        log.info(
            "%s split: the chat template is given the columns %s; rename or drop one that is not meant for it",
            split,
            ", ".join(map(repr, given)),
        )
    beside = [name for name in CONTEXT if name in row_format.optional and name in rows.column_names]
    if beside:
        log.info("%s split: read beside the conversations: the columns %s", split, ", ".join(map(repr, beside)))


def _say_unused_columns(
    rows: Dataset, row_format: RowFormat, reader: RowTexts, tokenizer: PreTrainedTokenizerBase, split: str
) -> None:
    """Warn where the chat template renders nothing of a column of tools, or has no variable of a column's name."""
    columns = row_format.columns_of(rows)
    unknown = [name for name in columns if name in KNOWN_VARIABLES and not has_variable(tokenizer, name)]
    if TEMPLATE_VARIABLES in columns:
        column = (TEMPLATE_VARIABLES,)
        own = (read_variables(row, column, None) for row in rows.select_columns(list(column)))
        unknown += dict.fromkeys(name for given in own for name in given if not has_variable(tokenizer, name))
    for name in dict.fromkeys(unknown):
        log.warning("%s split: the chat template has no variable %r, so the data's has no effect", split, name)
    for name in (TOOLS, FUNCTIONS):
        row = next((row for row in rows if row[name]), None) if name in columns else None
        if row is None:
            continue
        conversation = reader.conversation(row)
        if render(tokenizer, conversation) == render(tokenizer, attrs.evolve(conversation, tools=None)):
            log.warning("%s split: the chat template renders no tools, so the column %r has no effect", split, name)


def _say_other_opening(row: Mapping[str, Any], reader: RowTexts) -> None:
    """Warn where the chat template opens an answer to predict unlike those of the data (with a `<think>`)."""
    prompt = reader.split(row)[0].text
    begun = [common_length(text.text, prompt) for text in reader.learned(row)]
    if begun and max(begun) < len(prompt):
        log.warning(
            "the chat template opens an answer to predict with %r, which the answers of the data do not have: what is "
            "predicted begins unlike what is learned",
            prompt[max(begun) :],
        )


def _encode_texts(
    texts: Sequence[MarkedText],
    row_format: RowFormat,
    tokenizer: PreTrainedTokenizerBase,
    limit: int,
) -> dict[str, list[Any]]:
    # A chat template renders the special tokens itself.
    before, behind = ([], []) if row_format.is_chat else added_tokens(tokenizer)
    end = None if row_format.is_chat else tokenizer.eos_token_id
    found: dict[str, list[Any]] = {"input_ids": [], "labels": [], "targets": [], "cut": []}
    for text, (ids, learned) in zip(texts, tokenize_marked(tokenizer, texts), strict=True):
        labels = [token if is_target else IGNORED for token, is_target in zip(ids, learned, strict=True)]
        if ids[: len(before)] != before:
            ids, labels = [*before, *ids], [IGNORED] * len(before) + labels
        for token in (*behind, end):
            if token is not None and ids[-1:] != [token]:
                ids, labels = [*ids, token], [*labels, token]
        splits = text.learned is None and not row_format.is_chat
        for document in _documents(ids, labels, limit, split=splits):
            for name, value in zip(found, document, strict=True):
                found[name].append(value)
    return found


def _documents(
    ids: list[int], labels: list[int], limit: int, *, split: bool
) -> Iterator[tuple[list[int], list[int], int, bool]]:
    """Yield documents of at most `limit` tokens: (ids, labels, targets, whether it was truncated).

    Args:
        ids: of a text.
        labels: of its tokens.
        limit: in tokens.
        split: a longer text becomes several documents; False truncates it.
    """
    for start in range(0, len(ids) if split else 1, limit):
        piece, wanted = ids[start : start + limit], [IGNORED, *labels[start + 1 : start + limit]]
        targets = [token for token, label in enumerate(wanted) if label != IGNORED]
        # Tokens after the last target have no effect: no target attends to them.
        stop = targets[-1] + 1 if targets else min(len(piece), 1)
        yield piece[:stop], wanted[:stop], len(targets), not split and len(ids) > limit


def _drop_untrained(documents: Dataset, split: str, limit: int) -> tuple[Dataset, dict[str, int]]:
    targets = numpy.asarray(documents.with_format("numpy")["targets"][:], dtype=numpy.int64)
    cut = int(numpy.count_nonzero(documents.with_format("numpy")["cut"][:]))
    kept = numpy.flatnonzero(targets)
    if not len(kept):
        raise DataError(
            f"no document of the {split} split has anything to learn within max_seq_length {limit}: "
            "the prompts alone are as long. Raise max_seq_length."
        )
    dropped = len(documents) - len(kept)
    if cut:
        log.warning("%s split: %d of %d documents are truncated at %d tokens", split, cut, len(documents), limit)
    if dropped:
        log.warning("%s split: %d documents without anything to learn are left out", split, dropped)
        documents = documents.select(kept)
    return documents, {
        "documents": len(documents),
        "cut": cut,
        "left_out": dropped,
        "tokens": int(token_lengths(documents).sum()),
        "targets": int(targets.sum()),
    }
