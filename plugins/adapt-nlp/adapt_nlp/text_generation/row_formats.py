"""The formats of training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import column_values, format_columns

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.context_columns import FUNCTIONS, HISTORY, TOOLS, has_form
from adapt_nlp.text_generation.template_variables import variable_columns
from adapt_nlp.text_generation.turns import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

MESSAGES, CONVERSATIONS = "messages", "conversations"
INSTRUCTION, INSTRUCTION_INPUT, OUTPUT = "instruction", "input", "output"
PROMPT, COMPLETION = "prompt", "completion"

CHAT_KINDS = ("instructions", "messages")
"""The kinds of `RowFormat` that go through the chat template."""


@attrs.frozen
class RowFormat:
    """The format of a data set's rows.

    Attributes:
        kind: "text" (all of it is trained on), "pairs" (prompt, completion), "instructions" (question and answer, as a
            conversation of two turns), or "messages" (a conversation, in one column or in two, of which the second goes
            on and alone is learned).
        columns: required columns, each with the key that names it. FORMAT_STRING's come first; the completion of
            "pairs" and "messages" and the answer of "instructions" come last.
        optional: columns that rows are read from where they have them: `input` of instructions, and those beside a
            conversation (`context_columns`).
        variables: columns of variables of the chat template, likewise.
        has_filled_nulls: whether every turn, tool or document has the keys of all, with null where it has none
            (Parquet).
    """

    kind: Literal["text", "pairs", "instructions", "messages"]
    columns: tuple[tuple[str, str], ...]
    optional: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
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
        optional = [column for column in (*self.optional, *self.variables) if column in rows.column_names]
        return list(dict.fromkeys([*self.names, *optional]))


def find_row_format(
    plan: Plan[TextGenerationParams], dataset: Dataset, tokenizer: PreTrainedTokenizerBase
) -> RowFormat:
    """Return the format of a data set's rows, from the config's keys and the data's columns; see `row_columns`.

    With target_column only the target is trained on; where the tokenizer has a chat template, a column of questions and
    one of answers are conversations. A column of lists is a conversation, also where the other column of a pair is
    text.

    Raises:
        DataError: the data has none of the columns that rows are read from.
    """
    data = plan.data
    columns = row_columns(plan, dataset.column_names)
    if data.format_string:
        return RowFormat("pairs" if data.target_column else "text", columns)
    chat = _Conversations(dataset, tokenizer)
    first = columns[0][0]
    named = first in (data.input_column, plan.task.params.dataset_text_field)
    if not named and first == INSTRUCTION:
        return chat.of_questions(*columns)
    if not named and first in (MESSAGES, CONVERSATIONS):
        return chat.of_turns(*columns)
    if any(_has_lists(dataset, column) for column, _ in columns):
        return chat.of_turns(*columns)
    if named and not data.target_column:
        return RowFormat("text", columns)
    if named and tokenizer.chat_template and not _has_special_tokens(dataset, first, tokenizer):
        return chat.of_questions(*columns)
    return RowFormat("pairs", columns)


def row_columns(plan: Plan[TextGenerationParams], known: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the columns that rows are read from, each with the key that names it.

    They are the first that exist of: FORMAT_STRING, input_column, the column `dataset_text_field`, `messages`,
    `conversations`, `instruction` and `output`, `prompt` and `completion`.

    Args:
        plan: the plan. Columns that it names need not exist.
        known: the columns of the data.

    Raises:
        DataError: none of them exists.
    """
    data = plan.data
    target = ((data.target_column, "target_column"),) if data.target_column else ()
    if data.format_string:
        return (*((name, "FORMAT_STRING") for name in format_columns(data)), *target)
    field = plan.task.params.dataset_text_field
    if data.input_column:
        return ((data.input_column, "input_column"), *target)
    if field in known:
        return ((field, "dataset_text_field"), *target)
    for name in (MESSAGES, CONVERSATIONS):
        if name in known:
            return ((name, "input_column"),)
    for question, usual in ((INSTRUCTION, OUTPUT), (PROMPT, COMPLETION)):
        answer = data.target_column or usual
        if question in known and answer in known:
            return ((question, "input_column"), (answer, "target_column"))
    raise DataError(
        f"dataset_text_field: the data has no column {field!r}; it has: {', '.join(known[:12])}. Text is read from "
        f"{field!r}, {MESSAGES!r}, {INSTRUCTION!r} with {OUTPUT!r}, or {PROMPT!r} with {COMPLETION!r}; "
        "or name it with input_column (and target_column), or build it with FORMAT_STRING."
    )


@attrs.frozen
class _Conversations:
    """Makes the formats that go through the chat template."""

    dataset: Dataset
    tokenizer: PreTrainedTokenizerBase

    def of_turns(self, *columns: tuple[str, str]) -> RowFormat:
        """Return the format of a conversation, in one column or in two."""
        filled = self._has_filled_nulls([column for column, _ in columns])
        variables = self._variables(columns)
        return RowFormat("messages", columns, self._context(columns, variables), variables, has_filled_nulls=filled)

    def of_questions(self, *columns: tuple[str, str]) -> RowFormat:
        """Return the format of a question and its answer."""
        optional = (INSTRUCTION_INPUT,) if columns[0][0] == INSTRUCTION else ()
        variables = self._variables(columns)
        filled = self._has_filled_nulls([TOOLS, FUNCTIONS, *variables])
        history = (HISTORY,) if has_form(HISTORY, _first(self.dataset, HISTORY)) else ()
        context = [name for name in (*history, *self._context(columns, variables)) if name not in dict(columns)]
        return RowFormat("instructions", columns, (*optional, *context), variables, has_filled_nulls=filled)

    def _context(self, columns: tuple[tuple[str, str], ...], variables: Sequence[str]) -> tuple[str, ...]:
        """Return the columns beside a conversation; some templates have a variable of such a name."""
        meant = (name for name in (SYSTEM, FUNCTIONS) if has_form(name, _first(self.dataset, name)))
        names = (*meant, TOOLS)
        return tuple(name for name in names if name not in variables and name not in dict(columns))

    def _has_filled_nulls(self, columns: Sequence[str]) -> bool:
        """Return whether a column has mappings, or lists of them, in the types of Arrow: each has the keys of all."""
        features = [self.dataset.features.get(column) for column in columns]
        return any(isinstance(getattr(feature, "feature", feature), dict) for feature in features)

    def _variables(self, columns: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
        taken = [INSTRUCTION_INPUT, *(column for column, _ in columns)]
        return tuple(name for name in variable_columns(self.tokenizer) if name not in taken)


def _has_special_tokens(dataset: Dataset, column: str, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether the first text of a column was rendered by a template already."""
    if column not in dataset.column_names:
        return False
    first = next((value for value in column_values(dataset, column) if isinstance(value, str)), "")
    return any(token in first for token in tokenizer.all_special_tokens)


def _has_lists(dataset: Dataset, column: str) -> bool:
    return isinstance(_first(dataset, column), list)


def _first(dataset: Dataset, column: str) -> object:
    """Return the first value of a column that is not null; None where there is none."""
    if column not in dataset.column_names:
        return None
    return next((value for value in column_values(dataset, column) if value is not None), None)
