"""The formats of training rows, and the texts of a row with the characters that are trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import column_values, format_columns, format_row, text_fault

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.chat import Span, Turns, chat_fault, render_with_answers, template_fault

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

MESSAGES = "messages"
INSTRUCTION, INSTRUCTION_INPUT, OUTPUT = "instruction", "input", "output"
PROMPT, COMPLETION = "prompt", "completion"

CHAT_KINDS = ("instructions", "messages")
"""The kinds of `RowFormat` that go through the chat template."""


@attrs.frozen
class RowFormat:
    """The format of a data set's rows.

    Attributes:
        kind: "text" (all of it is trained on), "pairs" (prompt, completion), "instructions" (instruction, input and
            output, as a conversation of two turns), or "messages" (a conversation).
        columns: required columns, each with the key that names it. FORMAT_STRING's come first; the completion of
            "pairs" and the output of "instructions" come last. The optional `input` is not among them.
    """

    kind: Literal["text", "pairs", "instructions", "messages"]
    columns: tuple[tuple[str, str], ...]

    @property
    def is_chat(self) -> bool:
        """Whether rows go through the chat template."""
        return self.kind in CHAT_KINDS

    @property
    def names(self) -> list[str]:
        """The names of the required columns."""
        return [column for column, _ in self.columns]


def find_row_format(plan: Plan[TextGenerationParams], dataset: Dataset) -> RowFormat:
    """Return the format of a data set's rows, from the config's keys and the data's columns.

    It is the first that exists of: FORMAT_STRING, input_column, the column `dataset_text_field`, `messages`,
    `instruction` and `output`, `prompt` and `completion`. With target_column only the target is trained on. A column
    of lists is a conversation.

    Raises:
        DataError: none of them exists.
    """
    data = plan.data
    target = ((data.target_column, "target_column"),) if data.target_column else ()
    if data.format_string:
        columns = tuple((name, "FORMAT_STRING") for name in format_columns(data))
        return RowFormat("pairs" if target else "text", (*columns, *target))
    known = dataset.column_names
    if data.input_column:
        given = ((data.input_column, "input_column"),)
        if target:
            return RowFormat("pairs", (*given, *target))
        return RowFormat("messages" if _has_lists(dataset, data.input_column) else "text", given)
    field = plan.task.params.dataset_text_field
    if field in known:
        named = ((field, "dataset_text_field"),)
        if target:
            return RowFormat("pairs", (*named, *target))
        return RowFormat("messages" if _has_lists(dataset, field) else "text", named)
    if MESSAGES in known:
        return RowFormat("messages", ((MESSAGES, "input_column"),))
    answer = data.target_column or OUTPUT
    if INSTRUCTION in known and answer in known:
        return RowFormat("instructions", ((INSTRUCTION, "input_column"), (answer, "target_column")))
    answer = data.target_column or COMPLETION
    if PROMPT in known and answer in known:
        return RowFormat("pairs", ((PROMPT, "input_column"), (answer, "target_column")))
    raise DataError(
        f"dataset_text_field: the data has no column {field!r}; it has: {', '.join(known[:12])}. Text is read from "
        f"{field!r}, {MESSAGES!r}, {INSTRUCTION!r} with {OUTPUT!r}, or {PROMPT!r} with {COMPLETION!r}; "
        "or name it with input_column (and target_column), or build it with FORMAT_STRING."
    )


def _has_lists(dataset: Dataset, column: str) -> bool:
    if column not in dataset.column_names:
        return False
    return isinstance(next((value for value in column_values(dataset, column) if value is not None), None), list)


def row_faults(
    rows: Dataset, row_format: RowFormat, plan: Plan[TextGenerationParams], tokenizer: PreTrainedTokenizerBase
) -> Iterator[str | None]:
    """Yield for each row what is wrong with it, or None."""
    for row in rows.select_columns(read_columns(rows, row_format)):
        yield _fault(row, row_format, plan, tokenizer)


def read_columns(rows: Dataset, row_format: RowFormat) -> list[str]:
    """Return the columns that rows are read from: the required ones, and `input` where instructions have it."""
    has_input = row_format.kind == "instructions" and INSTRUCTION_INPUT in rows.column_names
    return list(dict.fromkeys([*row_format.names, *([INSTRUCTION_INPUT] if has_input else [])]))


def _fault(
    row: Mapping[str, Any],
    row_format: RowFormat,
    plan: Plan[TextGenerationParams],
    tokenizer: PreTrainedTokenizerBase,
) -> str | None:
    if row_format.kind == "messages":
        value = row[row_format.names[0]]
        fault = chat_fault(value, row_format.names[0], needs_answer=plan.task.params.loss_on == "answers")
        return fault or template_fault(tokenizer, value)
    plain = row_format.names
    if plan.data.format_string:
        if format_row(row, plan.data) is None:
            return "every column of FORMAT_STRING is empty"
        plain = row_format.names[-1:] if row_format.kind == "pairs" else []
    for name in plain:
        if fault := text_fault(row[name]):
            return f"column {name!r} {fault}"
    if row_format.kind != "instructions":
        return None
    extra = row.get(INSTRUCTION_INPUT)
    if extra is not None and not isinstance(extra, str):
        return f"column {INSTRUCTION_INPUT!r} is {type(extra).__name__} {extra!r}, not text"
    return template_fault(tokenizer, conversation(row, row_format))


def conversation(row: Mapping[str, Any], row_format: RowFormat) -> Turns:
    """Return a row of "messages" or "instructions" as a conversation."""
    if row_format.kind == "messages":
        return [dict(turn) for turn in row[row_format.names[0]]]
    question = instruction_text(row[row_format.names[0]], row.get(INSTRUCTION_INPUT))
    return [{"role": "user", "content": question}, {"role": "assistant", "content": row[row_format.names[-1]]}]


def instruction_text(instruction: str, extra: str | None) -> str:
    """Return an instruction, followed by its input where there is one."""
    return f"{instruction}\n\n{extra}" if extra and extra.strip() else instruction


def trained_texts(
    row: Mapping[str, Any],
    row_format: RowFormat,
    plan: Plan[TextGenerationParams],
    tokenizer: PreTrainedTokenizerBase,
) -> list[tuple[str, list[Span] | None]]:
    """Return the texts of a row, each with the characters that are trained on; None for all of them."""
    trains_all = plan.task.params.loss_on == "all"
    if row_format.is_chat:
        texts = render_with_answers(tokenizer, conversation(row, row_format))
        # The texts of a conversation share their beginning: the last contains all of it.
        return [(texts[-1][0], None)] if trains_all else list(texts)
    prompt = str(format_row(row, plan.data)) if plan.data.format_string else row[row_format.names[0]]
    if row_format.kind == "text":
        return [(prompt, None)]
    text = prompt + row[row_format.names[-1]]
    return [(text, None if trains_all else [(len(prompt), len(text))])]
