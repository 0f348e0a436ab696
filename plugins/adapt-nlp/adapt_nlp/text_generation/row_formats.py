"""The forms that training rows come in, and each row's text with the characters that are learned."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import column_values, format_columns, format_row, text_fault

from adapt_nlp.text_generation.chat import Span, Turns, chat_fault, template_fault, with_answers

if TYPE_CHECKING:
    from datasets import Dataset

MESSAGES = "messages"
INSTRUCTION, INSTRUCTION_INPUT, OUTPUT = "instruction", "input", "output"
PROMPT, COMPLETION = "prompt", "completion"

log = logging.getLogger(__name__)


@attrs.frozen
class Form:
    """How rows are read.

    Attributes:
        kind: "text" (all of it is learned), "pairs" (prompt, completion), "instructions" (instruction, input and
            output, as a conversation of two turns), or "messages" (a conversation).
        columns: pairs of a column and the key that named it. FORMAT_STRING's come first; of "pairs" the completion,
            of "instructions" the output comes last; the optional `input` is not among them.
    """

    kind: str
    columns: tuple[tuple[str, str], ...]

    @property
    def is_chat(self) -> bool:
        """Whether rows go through the chat template."""
        return self.kind in ("instructions", "messages")

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column for column, _ in self.columns]


def form_of(plan: Plan, dataset: Dataset) -> Form:
    """The form of a data set's rows, by the keys given and the columns there are.

    FORMAT_STRING, else input_column, else the first that is there of: the column `dataset_text_field`, `messages`,
    `instruction` and `output`, `prompt` and `completion`. With target_column only the target is learned. A column
    that holds lists is a conversation.

    Raises:
        DataError: none of them is there.
    """
    data = plan.data
    target = ((data.target_column, "target_column"),) if data.target_column else ()
    if data.format_string:
        columns = tuple((name, "FORMAT_STRING") for name in format_columns(data))
        return Form("pairs" if target else "text", (*columns, *target))
    there = dataset.column_names
    if data.input_column:
        given = ((data.input_column, "input_column"),)
        if target:
            return Form("pairs", (*given, *target))
        return Form("messages" if _holds_lists(dataset, data.input_column) else "text", given)
    field = plan.task.params.dataset_text_field
    if field in there:
        kind = "pairs" if target else "messages" if _holds_lists(dataset, field) else "text"
        return Form(kind, ((field, "dataset_text_field"), *target))
    if MESSAGES in there:
        return Form("messages", ((MESSAGES, "input_column"),))
    answer = data.target_column or OUTPUT
    if INSTRUCTION in there and answer in there:
        return Form("instructions", ((INSTRUCTION, "input_column"), (answer, "target_column")))
    answer = data.target_column or COMPLETION
    if PROMPT in there and answer in there:
        return Form("pairs", ((PROMPT, "input_column"), (answer, "target_column")))
    raise DataError(
        f"dataset_text_field: the data has no column {field!r}; it has: {', '.join(there[:12])}. Text is read from "
        f"{field!r}, {MESSAGES!r}, {INSTRUCTION!r} with {OUTPUT!r}, or {PROMPT!r} with {COMPLETION!r}; "
        "or name it with input_column (and target_column), or build it with FORMAT_STRING."
    )


def _holds_lists(dataset: Dataset, column: str) -> bool:
    if column not in dataset.column_names:
        return False
    return isinstance(next((value for value in column_values(dataset, column) if value is not None), None), list)


def faults(rows: Dataset, form: Form, plan: Plan, tokenizer: Any) -> Iterator[str | None]:
    """For each row what is wrong with it, or None."""
    optional = [INSTRUCTION_INPUT] if form.kind == "instructions" and INSTRUCTION_INPUT in rows.column_names else []
    for row in rows.select_columns(list(dict.fromkeys([*form.names, *optional]))):
        yield _fault(row, form, plan, tokenizer)


def _fault(row: Mapping[str, Any], form: Form, plan: Plan, tokenizer: Any) -> str | None:
    if form.kind == "messages":
        value = row[form.names[0]]
        fault = chat_fault(value, form.names[0], needs_answer=plan.task.params.loss_on == "answers")
        return fault or template_fault(tokenizer, value)
    plain = form.names
    if plan.data.format_string:
        if format_row(dict(row), plan.data) is None:
            return "every column of FORMAT_STRING is empty"
        plain = form.names[-1:] if form.kind == "pairs" else []
    for name in plain:
        if fault := text_fault(row[name]):
            return f"column {name!r} {fault}"
    extra = row.get(INSTRUCTION_INPUT)
    if form.kind == "instructions" and extra is not None and not isinstance(extra, str):
        return f"column {INSTRUCTION_INPUT!r} is {type(extra).__name__} {extra!r}, not text"
    return template_fault(tokenizer, turns_of(row, form)) if form.kind == "instructions" else None


def turns_of(row: Mapping[str, Any], form: Form) -> Turns:
    """A row as a conversation."""
    if form.kind == "messages":
        return [dict(turn) for turn in row[form.names[0]]]
    question = asked(row[form.names[0]], row.get(INSTRUCTION_INPUT))
    return [{"role": "user", "content": question}, {"role": "assistant", "content": row[form.names[-1]]}]


def asked(instruction: str, extra: str | None) -> str:
    """An instruction with its input, where there is one."""
    return f"{instruction}\n\n{extra}" if extra and extra.strip() else instruction


def texts_of(row: Mapping[str, Any], form: Form, plan: Plan, tokenizer: Any) -> list[tuple[str, list[Span] | None]]:
    """A row's texts, each with the characters that are learned; None for all of them."""
    whole = plan.task.params.loss_on == "all"
    if form.is_chat:
        parts = with_answers(tokenizer, turns_of(row, form))
        # Texts of one conversation begin alike; where all is learned, the last one holds the others.
        return [(parts[-1][0], None)] if whole else list(parts)
    prompt = str(format_row(dict(row), plan.data)) if plan.data.format_string else row[form.names[0]]
    if form.kind == "text":
        return [(prompt, None)]
    text = prompt + row[form.names[-1]]
    return [(text, None if whole else [(len(prompt), len(text))])]
