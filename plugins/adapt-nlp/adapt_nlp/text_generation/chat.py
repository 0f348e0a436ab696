"""Conversations rendered by the tokenizer's chat template, and the characters of their answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ROLES = ("system", "user", "assistant", "tool")

SIMPLE_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '### Assistant:\\n' + message['content'] + eos_token }}"
    "{% else %}{{ '### ' + message['role'] | capitalize + ':\\n' + message['content'] }}{% endif %}"
    "{{ '\\n\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\\n' }}{% endif %}"
)
"""The template for a tokenizer without one: a heading for each turn, and the end token after each answer."""

Span = tuple[int, int]
"""Characters, the second exclusive."""

Turns = list[dict[str, Any]]
"""A conversation: {"role", "content"} and further keys of each turn."""

log = logging.getLogger(__name__)


def ensure_template(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer without a chat template the simple one, which is saved with it."""
    if not tokenizer.chat_template:
        log.warning(
            "the tokenizer has no chat template: a simple one is used, with a heading for each turn (### User:, "
            "### Assistant:). It is saved with the model."
        )
        tokenizer.chat_template = SIMPLE_TEMPLATE


def chat_fault(value: object, column: str, *, needs_answer: bool) -> str | None:
    """Return why a value is not a usable conversation, or None.

    Args:
        value: should be a list of {"role", "content"}.
        column: for the message.
        needs_answer: whether a turn must be the assistant's.
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
            if content is None or isinstance(content, str):
                return f"turn {number} ({role}) has no content"
            return f"turn {number} ({role}) has content that is not text ({content!r})"
    if needs_answer and not any(turn["role"] == "assistant" for turn in value):
        return "no turn is the assistant's, so there is no answer to learn"
    return None


def template_fault(tokenizer: PreTrainedTokenizerBase, turns: Turns) -> str | None:
    """Return why the chat template rejects a conversation, or None."""
    from jinja2 import TemplateError

    try:
        render(tokenizer, turns)
    except TemplateError as error:
        return f"the chat template rejects the conversation: {error}"
    return None


def render(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[Mapping[str, Any]], *, answer_follows: bool = False
) -> str:
    """Return a conversation as the text that the model gets.

    Args:
        tokenizer: with a chat template.
        turns: {"role", "content"} each; further keys are passed to the template where they are not None.
        answer_follows: end with the opening of the assistant's next turn.
    """
    given = [{key: value for key, value in turn.items() if value is not None} for turn in turns]
    text: str = tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=answer_follows)
    return text


def render_with_answers(tokenizer: PreTrainedTokenizerBase, turns: Turns) -> list[tuple[str, list[Span]]]:
    """Return a conversation as texts, each with the characters of its answers, the end of an answer included.

    It is one text where the template renders earlier turns the same whatever follows. Otherwise (templates that remove
    the reasoning of earlier answers) it is one text for each answer, as the model sees it when it answers.
    """
    whole = render(tokenizer, turns)
    answers = list(_answers(tokenizer, turns))
    if all(whole.startswith(text) for text, _ in answers):
        return [(whole, [span for _, span in answers])]
    return [(text, [span]) for text, span in answers]


def _answers(tokenizer: PreTrainedTokenizerBase, turns: Turns) -> Iterator[tuple[str, Span]]:
    for number, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        until = render(tokenizer, turns[: number + 1])
        yield until, (_start_of_answer(tokenizer, turns[:number], until), len(until.rstrip()))


def _start_of_answer(tokenizer: PreTrainedTokenizerBase, before: Turns, until: str) -> int:
    """Return where the last turn of a rendered conversation begins: after the longest opening that it starts with."""
    if not before:
        return 0
    for answer_follows in (True, False):
        opening = render(tokenizer, before, answer_follows=answer_follows)
        if until.startswith(opening):
            return len(opening)
    # The conversation begins with neither: what differs belongs to the turn.
    differing = (place for place, (a, b) in enumerate(zip(opening, until, strict=False)) if a != b)
    return next(differing, min(len(opening), len(until)))


def end_of_answer(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the id of the special token that ends an answer in the chat template (`<|im_end|>`), or None."""
    text, spans = render_with_answers(
        tokenizer, [{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}]
    )[0]
    start, stop = spans[-1]
    ids = tokenizer(text[start:stop], add_special_tokens=False)["input_ids"]
    return int(ids[-1]) if ids and ids[-1] in tokenizer.all_special_ids else None
