"""What is wrong with a row, and its texts with the characters that are learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.hf.data.columns import format_row, text_fault

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.chat import (
    Conversation,
    common_length,
    marked_conversation,
    marked_prompt,
    render,
    template_fault,
)
from adapt_nlp.text_generation.context_columns import context_fault, tools_of, with_context
from adapt_nlp.text_generation.conversation_faults import chat_fault
from adapt_nlp.text_generation.marked_text import MarkedText
from adapt_nlp.text_generation.row_formats import INSTRUCTION_INPUT, RowFormat
from adapt_nlp.text_generation.template_variables import read_variables, variables_fault
from adapt_nlp.text_generation.templates import end_tokens, template_source
from adapt_nlp.text_generation.turns import ASSISTANT, SYSTEM, USER, turns_of
from adapt_nlp.text_generation.unread_keys import UnreadKeys

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

_MAX_CHARACTERS = 400
"""The longest prompt, and the longest expected continuation, of a plain text."""


def instruction_text(instruction: str, extra: str | None) -> str:
    """Return an instruction, followed by its input where there is one."""
    return f"{instruction}\n\n{extra}" if extra and extra.strip() else instruction


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


class RowTexts:
    """Reads the rows of a format as texts.

    Args:
        row_format: of the rows.
        plan: the plan.
        tokenizer: with the chat template of the training data, where the rows are conversations.
    """

    def __init__(
        self, row_format: RowFormat, plan: Plan[TextGenerationParams], tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self._format = row_format
        self._plan = plan
        self._tokenizer = tokenizer

    @cached_property
    def unread(self) -> UnreadKeys:
        """The keys of turns that nothing reads, of the rows whose faults were asked for."""
        return UnreadKeys(template_source(self._tokenizer))

    @cached_property
    def _ends(self) -> tuple[str, ...]:
        return end_tokens(self._tokenizer)

    @property
    def _trains_all(self) -> bool:
        return self._plan.task.params.loss_on == "all"

    def faults(self, rows: Dataset) -> Iterator[str | None]:
        """Yield for each row what is wrong with it, or None."""
        for row in rows.select_columns(self._format.columns_of(rows)):
            fault = self._fault(row)
            if fault is None and self._format.kind == "messages":
                for name in self._format.names:
                    self.unread.count(self._turns(row, name))
            yield fault

    def _fault(self, row: Mapping[str, Any]) -> str | None:
        names = self._format.names
        fault = context_fault(self._beside(row)) or variables_fault(row, self._format.variables)
        if self._format.is_chat and fault:
            return fault
        if self._format.kind == "messages":
            for name in names:
                is_learned = name == names[-1] and not self._trains_all
                if fault := chat_fault(self._turns(row, name), name, needs_answer=is_learned):
                    return fault if len(names) == 1 or fault.startswith("column") else f"column {name!r}: {fault}"
            return self._template_fault(row)
        plain = names
        if self._plan.data.format_string:
            if format_row(row, self._plan.data) is None:
                return "every column of FORMAT_STRING is empty"
            plain = names[-1:] if self._format.kind == "pairs" else []
        for name in plain:
            if fault := text_fault(row[name]):
                return f"column {name!r} {fault}"
        if self._format.kind != "instructions":
            return None
        extra = row.get(INSTRUCTION_INPUT)
        if extra is not None and not isinstance(extra, str):
            return f"column {INSTRUCTION_INPUT!r} is {type(extra).__name__} {extra!r}, not text"
        return self._template_fault(row)

    def _template_fault(self, row: Mapping[str, Any]) -> str | None:
        fault = template_fault(self._tokenizer, self.conversation(row))
        if fault is None or not row.get(SYSTEM) or SYSTEM not in self._format.optional:
            return fault
        return f"{fault} (its first turn is the column {SYSTEM!r}: rename or drop it if it is no instruction)"

    def conversation(self, row: Mapping[str, Any]) -> Conversation:
        """Return a row of "messages" or "instructions" as a conversation."""
        names = self._format.names
        variables = read_variables(row, self._format.variables, self._plan.task.params.chat_template_kwargs)
        beside = self._beside(row)
        tools = tools_of(beside)
        if self._format.has_filled_nulls:
            tools, variables = _without_nulls(tools), _without_nulls(variables)
        if self._format.kind == "instructions":
            question = instruction_text(row[names[0]], row.get(INSTRUCTION_INPUT))
            asked, answered = {"role": USER, "content": question}, {"role": ASSISTANT, "content": row[names[-1]]}
            return Conversation(with_context([asked, answered], beside), tools, variables)
        turns = [dict(turn) for name in names for turn in self._turns(row, name)]
        if len(names) > 1 and not self._trains_all:
            for turn in turns[: len(self._turns(row, names[0]))]:
                turn["train"] = False
        if self._format.has_filled_nulls:
            # A null content is the data's own: it marks a turn that has calls alone.
            turns = [{**_without_nulls(turn), "content": turn.get("content")} for turn in turns]
        return Conversation(with_context(turns, beside), tools, variables)

    def _beside(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the cells beside a conversation, which may be in columns of their names itself."""
        return {name: row[name] for name in self._format.optional if name in row}

    def _turns(self, row: Mapping[str, Any], name: str) -> Any:
        """Return the turns of a column; a text of two columns is the turn of the user, or of the assistant."""
        role = USER if name == self._format.names[0] else ASSISTANT
        return turns_of(row[name], role if len(self._format.names) > 1 else None)

    def learned(self, row: Mapping[str, Any]) -> list[MarkedText]:
        """Return the texts of a row, with what is learned of each."""
        if self._format.is_chat:
            return marked_conversation(self._tokenizer, self.conversation(row), self._ends, trains_all=self._trains_all)
        prompt = self._plain_prompt(row)
        if self._format.kind == "text":
            return [MarkedText(prompt, learned=None)]
        text, start = prompt + row[self._format.names[-1]], len(prompt)
        return [MarkedText(text, (start,), None if self._trains_all else ((start, len(text)),))]

    def _with_calls(self, whole: Conversation, last: int) -> str:
        """Return an answer with calls of tools as the template writes it, without special tokens."""
        prompt = marked_prompt(self._tokenizer, whole.before(last)).text
        text = render(self._tokenizer, whole.before(last + 1))
        begun = common_length(text, prompt)
        ids = self._tokenizer(text[begun:], add_special_tokens=False)["input_ids"]
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _plain_prompt(self, row: Mapping[str, Any]) -> str:
        data = self._plan.data
        return str(format_row(row, data) if data.format_string else row[self._format.names[0]])

    def split(self, row: Mapping[str, Any]) -> tuple[MarkedText, str]:
        """Return a row as prompt and continuation: its last answer, or the second half of a plain text."""
        if self._format.is_chat:
            whole = self.conversation(row)
            turns = whole.turns
            last = max((number for number, turn in enumerate(turns) if turn["role"] == "assistant"), default=len(turns))
            answer = turns[last] if last < len(turns) else {}
            expected = str(answer.get("content") or "")
            if answer.get("tool_calls"):
                return marked_prompt(self._tokenizer, whole.before(last)), self._with_calls(whole, last)
            if last == 0:  # templates refuse a conversation without turns
                first = marked_conversation(self._tokenizer, whole, self._ends, trains_all=True)[0]
                return MarkedText(first.text[: first.answers[0]]), expected
            return marked_prompt(self._tokenizer, whole.before(last)), expected
        text = self._plain_prompt(row)
        if self._format.kind == "pairs":
            return MarkedText(text), str(row[self._format.names[-1]])
        half = max(1, min(len(text) // 2, _MAX_CHARACTERS))
        space = text.rfind(" ", 0, half)
        start = space if space > 0 else half
        return MarkedText(text[:start]), text[start : start + _MAX_CHARACTERS]
