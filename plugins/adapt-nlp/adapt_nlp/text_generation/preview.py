"""What the report shows of a language model: prompts of validation rows, how they go on, and what the model writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapt_core.config.plan import Plan

from adapt_nlp.text_generation.chat import as_text
from adapt_nlp.text_generation.predict import go_on
from adapt_nlp.text_generation.row_formats import Form, texts_of, turns_of

SHOWN = 3
"""Rows that are shown at most: a model writes token by token, and the run waits."""

MOST_TOKENS = 32
_LONGEST_PROMPT = 400
"""Characters of a plain text that the model goes on from, at most."""


def go_on_from_rows(
    model: Any, tokenizer: Any, rows: Sequence[Mapping[str, Any]], form: Form, plan: Plan
) -> list[dict[str, Any]]:
    """For each row {"input", "expected", "predicted"}, the last of at most MOST_TOKENS tokens.

    Args:
        model: in evaluation mode.
        tokenizer: with the chat template that the rows were read with.
        rows: good rows.
        form: of the rows.
        plan: for the sampling.
    """
    pairs = [split_row(row, form, plan, tokenizer) for row in rows]
    prompts = {f"sample {number}": prompt for number, (prompt, _) in enumerate(pairs, start=1)}
    written = go_on(model, tokenizer, prompts, plan, form.is_chat, most=MOST_TOKENS)
    return [
        {"input": prompt, "expected": expected, "predicted": text}
        for (prompt, expected), text in zip(pairs, written, strict=True)
    ]


def split_row(row: Mapping[str, Any], form: Form, plan: Plan, tokenizer: Any) -> tuple[str, str]:
    """A row as a prompt and the text that goes on from it: its last answer, or the second half of a plain text."""
    if form.is_chat:
        turns = turns_of(row, form)
        last = max((place for place, turn in enumerate(turns) if turn["role"] == "assistant"), default=len(turns))
        answer = turns[last]["content"] if last < len(turns) else ""
        return as_text(tokenizer, turns[:last], answer_follows=True), answer
    text, _ = texts_of(row, form, plan, tokenizer)[0]
    if form.kind == "pairs":
        answer = str(row[form.names[-1]])
        return text[: len(text) - len(answer)], answer
    half = max(1, min(len(text) // 2, _LONGEST_PROMPT))
    space = text.rfind(" ", 0, half)
    start = space if space > 0 else half
    return text[:start], text[start : start + _LONGEST_PROMPT]
