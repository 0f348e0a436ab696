"""Conversations as text, through the tokenizer's chat template, and where the answers stand in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ROLES = ("system", "user", "assistant", "tool")

SIMPLE_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '### Assistant:\\n' + message['content'] + eos_token }}"
    "{% else %}{{ '### ' + message['role'] | capitalize + ':\\n' + message['content'] }}{% endif %}"
    "{{ '\\n\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\\n' }}{% endif %}"
)
"""What a tokenizer without a chat template gets: a heading for each turn, and the end token after each answer."""

Span = tuple[int, int]
Turns = list[dict[str, Any]]

log = logging.getLogger(__name__)


def give_template(tokenizer: Any) -> None:
    """Gives a tokenizer without a chat template the simple one. It is saved with the tokenizer."""
    if not tokenizer.chat_template:
        log.warning(
            "the tokenizer has no chat template: a simple one is used, with a heading for each turn (### User:, "
            "### Assistant:). It is saved with the model."
        )
        tokenizer.chat_template = SIMPLE_TEMPLATE


def chat_fault(value: Any, column: str, needs_answer: bool) -> str | None:
    """Why a value is no usable conversation, or None.

    Args:
        value: should be a list of {"role", "content"}.
        column: for the message.
        needs_answer: whether there must be an assistant's turn.
    """
    if value is None:
        return f"column {column!r} is missing (null)"
    if not isinstance(value, list):
        return f"column {column!r} is {type(value).__name__}, not a list of turns with role and content"
    if not value:
        return f"column {column!r} has no turns"
    for number, turn in enumerate(value, start=1):
        if not isinstance(turn, Mapping):
            return f"turn {number} is {type(turn).__name__} {turn!r}, not a mapping with role and content"
        role, content = turn.get("role"), turn.get("content")
        if role not in ROLES:
            return f"turn {number} has the role {role!r}; roles are {', '.join(ROLES)}"
        if not isinstance(content, str) or not content.strip():
            what = "no content" if content is None or isinstance(content, str) else f"no text as content ({content!r})"
            return f"turn {number} ({role}) has {what}"
    if needs_answer and not any(turn["role"] == "assistant" for turn in value):
        return "no turn is the assistant's, so there is no answer to learn"
    return None


def template_fault(tokenizer: Any, turns: Turns) -> str | None:
    """Why the chat template refuses a conversation, or None."""
    from jinja2 import TemplateError

    try:
        as_text(tokenizer, turns)
    except TemplateError as error:
        return f"the chat template refuses the conversation: {error}"
    return None


def as_text(tokenizer: Any, turns: Sequence[Mapping[str, Any]], *, answer_follows: bool = False) -> str:
    """A conversation as the model reads it.

    Args:
        tokenizer: with a chat template.
        turns: {"role", "content"} each; further keys are passed on where they are not None.
        answer_follows: end with what opens the assistant's next turn.
    """
    given = [{key: value for key, value in turn.items() if value is not None} for turn in turns]
    text: str = tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=answer_follows)
    return text


def with_answers(tokenizer: Any, turns: Turns) -> list[tuple[str, list[Span]]]:
    """A conversation as texts, each with the characters of its answers (what the assistant writes, its end included).

    One text, where the template writes earlier turns the same whatever follows. Where it does not (templates that
    take the reasoning out of earlier answers), one text for each answer, as the model meets it when it answers.
    """
    whole = as_text(tokenizer, turns)
    answers = list(_answers(tokenizer, turns))
    if all(whole.startswith(text) for text, _ in answers):
        return [(whole, [span for _, span in answers])]
    return [(text, [span]) for text, span in answers]


def _answers(tokenizer: Any, turns: Turns) -> Iterator[tuple[str, Span]]:
    for number, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        until = as_text(tokenizer, turns[: number + 1])
        yield until, (_start_of_answer(tokenizer, turns[:number], until), len(until.rstrip()))


def _start_of_answer(tokenizer: Any, before: Turns, until: str) -> int:
    """Where the last turn of a rendered conversation begins: behind the longest opening that it shares with."""
    if not before:
        return 0
    for answer_follows in (True, False):
        opening = as_text(tokenizer, before, answer_follows=answer_follows)
        if until.startswith(opening):
            return len(opening)
    # Neither is how the conversation really begins; the turn's own text is certainly its own.
    differing = (place for place, (a, b) in enumerate(zip(opening, until, strict=False)) if a != b)
    return next(differing, min(len(opening), len(until)))


def end_of_answer(tokenizer: Any) -> int | None:
    """The id of the special token that ends an answer in the chat template (`<|im_end|>`), or None."""
    text, spans = with_answers(
        tokenizer, [{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}]
    )[0]
    start, stop = spans[-1]
    ids = tokenizer(text[start:stop], add_special_tokens=False)["input_ids"]
    return int(ids[-1]) if ids and ids[-1] in tokenizer.all_special_ids else None
