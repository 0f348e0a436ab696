"""The formats of training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import column_values, format_columns

from adapt_nlp.params import TextGenerationParams

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

MESSAGES, TOOLS = "messages", "tools"
INSTRUCTION, INSTRUCTION_INPUT, OUTPUT = "instruction", "input", "output"
PROMPT, COMPLETION = "prompt", "completion"

CHAT_KINDS = ("instructions", "messages")
"""The kinds of `RowFormat` that go through the chat template."""


@attrs.frozen
class RowFormat:
    """The format of a data set's rows.

    Attributes:
        kind: "text" (all of it is trained on), "pairs" (prompt, completion), "instructions" (question and answer, as a
            conversation of two turns), or "messages" (a conversation).
        columns: required columns, each with the key that names it. FORMAT_STRING's come first; the completion of
            "pairs" and the answer of "instructions" come last.
        optional: columns that rows are read from where they have them: `input` of instructions, `tools` of messages.
        has_filled_nulls: whether every turn has the keys of all turns, with null where it has none (Parquet).
    """

    kind: Literal["text", "pairs", "instructions", "messages"]
    columns: tuple[tuple[str, str], ...]
    optional: tuple[str, ...] = ()
    has_filled_nulls: bool = False

    @property
    def is_chat(self) -> bool:
        """Whether rows go through the chat template."""
        return self.kind in CHAT_KINDS

    @property
    def names(self) -> list[str]:
        """The names of the required columns."""
        return [column for column, _ in self.columns]

    def columns_of(self, rows: Dataset) -> list[str]:
        """Return the columns that rows are read from."""
        optional = [column for column in self.optional if column in rows.column_names]
        return list(dict.fromkeys([*self.names, *optional]))


def find_row_format(
    plan: Plan[TextGenerationParams], dataset: Dataset, tokenizer: PreTrainedTokenizerBase
) -> RowFormat:
    """Return the format of a data set's rows, from the config's keys and the data's columns.

    It is the first that exists of: FORMAT_STRING, input_column, the column `dataset_text_field`, `messages`,
    `instruction` and `output`, `prompt` and `completion`. With target_column only the target is trained on; where the
    tokenizer has a chat template, a column of questions and one of answers are conversations. A column of lists is a
    conversation.

    Raises:
        DataError: none of them exists.
    """
    data = plan.data
    target = ((data.target_column, "target_column"),) if data.target_column else ()
    if data.format_string:
        columns = tuple((name, "FORMAT_STRING") for name in format_columns(data))
        return RowFormat("pairs" if target else "text", (*columns, *target))
    known = dataset.column_names
    field = plan.task.params.dataset_text_field
    named = data.input_column or (field if field in known else None)
    if named:
        columns = ((named, "input_column" if data.input_column else "dataset_text_field"), *target)
        if not target:
            return _conversations(columns, dataset) if _has_lists(dataset, named) else RowFormat("text", columns)
        if tokenizer.chat_template and not _has_special_tokens(dataset, named, tokenizer):
            return _questions(columns)
        return RowFormat("pairs", columns)
    if MESSAGES in known:
        return _conversations(((MESSAGES, "input_column"),), dataset)
    answer = data.target_column or OUTPUT
    if INSTRUCTION in known and answer in known:
        return _questions(((INSTRUCTION, "input_column"), (answer, "target_column")))
    answer = data.target_column or COMPLETION
    if PROMPT in known and answer in known:
        return RowFormat("pairs", ((PROMPT, "input_column"), (answer, "target_column")))
    raise DataError(
        f"dataset_text_field: the data has no column {field!r}; it has: {', '.join(known[:12])}. Text is read from "
        f"{field!r}, {MESSAGES!r}, {INSTRUCTION!r} with {OUTPUT!r}, or {PROMPT!r} with {COMPLETION!r}; "
        "or name it with input_column (and target_column), or build it with FORMAT_STRING."
    )


def _conversations(columns: tuple[tuple[str, str], ...], dataset: Dataset) -> RowFormat:
    from datasets import Json

    turn = getattr(dataset.features[columns[0][0]], "feature", None)
    return RowFormat("messages", columns, (TOOLS,), has_filled_nulls=not isinstance(turn, Json))


def _questions(columns: tuple[tuple[str, str], ...]) -> RowFormat:
    return RowFormat("instructions", columns, (INSTRUCTION_INPUT,) if columns[0][0] == INSTRUCTION else ())


def _has_special_tokens(dataset: Dataset, column: str, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether the first text of a column was rendered by a template already."""
    if column not in dataset.column_names:
        return False
    first = next((value for value in column_values(dataset, column) if isinstance(value, str)), "")
    return any(token in first for token in tokenizer.all_special_tokens)


def _has_lists(dataset: Dataset, column: str) -> bool:
    if column not in dataset.column_names:
        return False
    return isinstance(next((value for value in column_values(dataset, column) if value is not None), None), list)
