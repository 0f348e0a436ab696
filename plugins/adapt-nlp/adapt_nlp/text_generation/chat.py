"""Conversations rendered by the tokenizer's chat template, and the characters of their answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_nlp.text_generation.marked_text import MarkedText, Span
from adapt_nlp.text_generation.templates import end_tokens, template_errors
from adapt_nlp.text_generation.tool_calls import CALLS, called, for_template
from adapt_nlp.text_generation.turns import ASSISTANT, LEARNED, is_learned

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_REASONING = ("reasoning_content", "reasoning", "thinking")
_PLACEHOLDER = "THE-ANSWER-BEGINS-HERE"

log = logging.getLogger(__name__)

Turns = list[dict[str, Any]]
"""A conversation's turns: {"role", "content"} and further keys of each."""


@attrs.frozen
class Conversation:
    """The turns of a conversation, the descriptions of the tools that the assistant may call, and the template's rest.

    Attributes:
        turns: see `Turns`.
        tools: JSON schemas; None where there are none.
        variables: further variables of the chat template (`enable_thinking`, `documents`).
    """

    turns: Turns
    tools: list[dict[str, Any]] | None = None
    variables: Mapping[str, Any] = attrs.field(factory=dict)

    def before(self, number: int) -> Conversation:
        """Return the conversation up to a turn, which is not in it."""
        return attrs.evolve(self, turns=self.turns[:number])


def template_fault(tokenizer: PreTrainedTokenizerBase, conversation: Conversation) -> str | None:
    """Return why the chat template rejects a conversation, or leaves out one of its tool calls; None if neither."""
    try:
        render(tokenizer, conversation)
        for number, turn in enumerate(conversation.turns):
            if turn["role"] == ASSISTANT and not (turn.get("content") or "").strip():
                before = render(tokenizer, conversation.before(number)) if number else ""
                until = render(tokenizer, conversation.before(number + 1))
                if not any(name in until[common_length(before, until) :] for name in called(turn)):
                    return f"turn {number + 1} (assistant) has no content, and the chat template leaves out its calls"
    except template_errors() as error:
        return f"the chat template rejects the conversation: {error}"
    return None


def render(tokenizer: PreTrainedTokenizerBase, conversation: Conversation, *, answer_follows: bool = False) -> str:
    """Return a conversation as the text that the model gets.

    Args:
        tokenizer: with a chat template.
        conversation: further keys of its turns are passed to the template where they are not None.
        answer_follows: end with the opening of the assistant's next turn.
    """
    given = [
        {key: value for key, value in turn.items() if key not in LEARNED and (value is not None or key == "content")}
        for turn in conversation.turns
    ]
    text: str = tokenizer.apply_chat_template(
        [for_template(turn, tokenizer) for turn in given],
        tools=conversation.tools,
        tokenize=False,
        add_generation_prompt=answer_follows,
        **conversation.variables,
    )
    return text


def marked_conversation(
    tokenizer: PreTrainedTokenizerBase, conversation: Conversation, ends: tuple[str, ...], *, trains_all: bool
) -> list[MarkedText]:
    """Return a conversation as texts with their answers, the end of an answer included.

    It is one text where the template renders earlier turns the same whatever follows. Otherwise (templates that remove
    the reasoning of earlier answers) it is one text for each answer, as the model sees it when it answers. Where the
    template marks no end of an answer, the end token follows the last one.

    To learn all of a rewritten conversation, its last text is enough where every answer is learned. Where one is not,
    its place in that text is unknown, and the answers that are learned have a text each.

    Args:
        tokenizer: with a chat template.
        conversation: one that the template takes.
        ends: the tokens that may end an answer (`end_tokens`).
        trains_all: learn all of the text but the answers that are not to be learned.
    """
    whole = render(tokenizer, conversation)
    answers = list(_answers(tokenizer, conversation))
    if all(whole.startswith(text) for text, _, _ in answers):
        texts = [(whole, [(span, learned) for _, span, learned in answers])]
    else:
        texts = [(text, [(span, learned)]) for text, span, learned in answers if learned or trains_all]
    learned = [text for text in texts if any(is_target for _, is_target in text[1])]
    if trains_all and (len(texts) == 1 or len(learned) in (0, len(texts))):
        # The texts of a conversation share their beginning: the last contains all of it. Where nothing is learned of
        # any answer, the first contains no answer that is not known by its place.
        text, spans = texts[-1] if learned else texts[0]
        goes_on = not spans or text[spans[-1][0][1] :].strip()
        return [_learn_all(text, spans) if goes_on else _learn_all(*_ended(text, spans, ends, tokenizer.eos_token))]
    return [_learn_answers(*_ended(*text, ends, tokenizer.eos_token)) for text in learned]


def marked_prompt(tokenizer: PreTrainedTokenizerBase, conversation: Conversation) -> MarkedText:
    """Return a conversation as a prompt, with its earlier answers as `marked_conversation` marks them."""
    prompt = render(tokenizer, conversation, answer_follows=True)
    answers = list(_answers(tokenizer, conversation))
    same = all(prompt.startswith(text) for text, _, _ in answers)
    return MarkedText(prompt, tuple(start for _, (start, _), _ in answers) if same else ())


def _ended(
    text: str, answers: list[tuple[Span, bool]], ends: tuple[str, ...], end: str | None
) -> tuple[str, list[tuple[Span, bool]]]:
    """Return a text, and its answers, with the end token behind the last answer where the template marks no end."""
    learned = [place for place, (_, is_target) in enumerate(answers) if is_target]
    if not learned or end is None:
        return text, answers
    start, stop = answers[learned[-1]][0]
    if text[:stop].endswith(ends):
        return text, answers
    return text[:stop] + end, [*answers[: learned[-1]], ((start, stop + len(end)), True)]


def _learn_answers(text: str, answers: Sequence[tuple[Span, bool]]) -> MarkedText:
    return MarkedText(text, _starts(answers), tuple(span for span, is_target in answers if is_target))


def _learn_all(text: str, answers: Sequence[tuple[Span, bool]]) -> MarkedText:
    left_out = [span for span, is_target in answers if not is_target]
    return MarkedText(text, _starts(answers), tuple(_between(left_out, len(text))) if left_out else None)


def _starts(answers: Sequence[tuple[Span, bool]]) -> tuple[int, ...]:
    return tuple(start for (start, _), _ in answers)


def _between(spans: Sequence[Span], length: int) -> Iterator[Span]:
    start = 0
    for first, last in (*spans, (length, length)):
        if first > start:
            yield start, first
        start = last


def _answers(tokenizer: PreTrainedTokenizerBase, conversation: Conversation) -> Iterator[tuple[str, Span, bool]]:
    """Yield for each answer the conversation that ends with it, its characters there, and whether it is learned."""
    for number, turn in enumerate(conversation.turns):
        if turn["role"] != ASSISTANT:
            continue
        until = render(tokenizer, conversation.before(number + 1))
        start = _start_of_answer(tokenizer, conversation.before(number), turn, until)
        yield until, (start, max(start, len(until.rstrip()))), is_learned(turn)


def _start_of_answer(
    tokenizer: PreTrainedTokenizerBase, before: Conversation, turn: Mapping[str, Any], until: str
) -> int:
    """Return where the last turn of a rendered conversation begins: behind the opening that predictions begin with.

    Where the conversation does not begin with that opening (there is no turn before it, or the opening has a
    `<think>` that the answer lacks), the answer begins where the template puts the turn's text.
    """
    opening = _render_or_nothing(tokenizer, before, answer_follows=True) if before.turns else ""
    if opening and until.startswith(opening):
        return len(opening)
    # Reasoning may stand before the content; calls are left out, which the template may put in its place.
    texts = {key: _PLACEHOLDER for key in ("content", *_REASONING) if key == "content" or turn.get(key)}
    other = {key: value for key, value in turn.items() if key not in CALLS}
    blank = attrs.evolve(before, turns=[*before.turns, {**other, **texts}])
    rendered = _render_or_nothing(tokenizer, blank)
    place = rendered.find(_PLACEHOLDER)
    return common_length(until, rendered[:place] if place >= 0 else opening)


def _render_or_nothing(
    tokenizer: PreTrainedTokenizerBase, conversation: Conversation, *, answer_follows: bool = False
) -> str:
    """Return a conversation that no row has, which the template may reject, as a text; "" if it does."""
    try:
        return render(tokenizer, conversation, answer_follows=answer_follows)
    except template_errors():
        return ""


def common_length(first: str, second: str) -> int:
    """Return the length of the beginning that two texts share."""
    differing = (place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    return next(differing, min(len(first), len(second)))


def end_of_answer(tokenizer: PreTrainedTokenizerBase, variables: Mapping[str, Any] | None = None) -> int | None:
    """Return the id of the token that ends an answer in the chat template (`<|im_end|>`), or None.

    Args:
        tokenizer: with a chat template.
        variables: those of the config.
    """
    turns = [{"role": "user", "content": "question"}, {"role": ASSISTANT, "content": "answer"}]
    text = _render_or_nothing(tokenizer, Conversation(turns, variables=variables or {})).rstrip()
    ending = max((token for token in end_tokens(tokenizer) if text.endswith(token)), key=len, default=None)
    return None if ending is None else int(tokenizer.convert_tokens_to_ids(ending))


def say_how_answers_end(tokenizer: PreTrainedTokenizerBase, variables: Mapping[str, Any] | None = None) -> None:
    """Warn where the chat template marks no end of an answer."""
    if end_of_answer(tokenizer, variables) is not None:
        return
    if tokenizer.eos_token is None:
        log.warning(
            "the chat template marks no end of an answer and the tokenizer has no end token: adapt predict generates "
            "until max_new_tokens."
        )
    else:
        log.warning(
            "the chat template marks no end of an answer: %s is learned behind the last answer of a conversation.",
            tokenizer.eos_token,
        )
