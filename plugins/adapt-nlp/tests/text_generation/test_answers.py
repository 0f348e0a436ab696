"""Answers in rendered conversations, and their tokens: what is learned is what the data says, with any tokenizer."""

from __future__ import annotations

from typing import Any

import pytest

from ..chat_models import (
    CHATML,
    DEFAULT_SYSTEM,
    KINDS,
    NEWLINES,
    NO_END,
    THINKING,
    TODAY,
    TOOLS,
    TWO_BRACKETS,
    byte_level,
)
from adapt_nlp.text_generation.chat import Conversation, end_of_answer, marked_conversation, marked_prompt
from adapt_nlp.text_generation.marked_text import MarkedText, added_tokens, tokenize_marked
from adapt_nlp.text_generation.templates import end_tokens, prepare_template

ANSWERS = ["positive", " the dog", "good  morning\n\nthere", "\n- cat\n- dog", "7", "ja, größer 🌧"]
TEMPLATES = {
    "chatml": (CHATML, "<|im_end|>", "<|im_end|>"),
    "default system": (DEFAULT_SYSTEM, "<|im_end|>", "<|im_end|>"),
    "brackets": (TWO_BRACKETS, "</s>", "</s>"),
    "trailing space, no end": (NO_END, "", "</s>"),
    "trailing newlines": (NEWLINES, "</s>", "</s>"),
    "opens a thought": (THINKING, "<|im_end|>", "<|im_end|>"),
    "tools": (TOOLS, "<|im_end|>", "<|im_end|>"),
}
"""Template, end of an answer, end of the last answer."""


def turns(*answers: str) -> list[dict[str, Any]]:
    return [
        turn
        for answer in answers
        for turn in ({"role": "user", "content": "what comes?"}, {"role": "assistant", "content": answer})
    ]


def tokens(tokenizer: Any, text: MarkedText) -> tuple[list[int], list[int]]:
    """All tokens and the learned ones."""
    ((ids, learned),) = tokenize_marked(tokenizer, [text])
    return ids, [token for token, is_target in zip(ids, learned, strict=True) if is_target]


def exactly(tokenizer: Any, ids: list[int]) -> str:
    """The text of tokens in the middle of another."""
    before = tokenizer("x", add_special_tokens=False)["input_ids"]
    text: str = tokenizer.decode([*before, *ids], clean_up_tokenization_spaces=False)
    return text[len(tokenizer.decode(before, clean_up_tokenization_spaces=False)) :]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_the_learned_tokens_are_the_answers_and_their_ends(kind: str, name: str) -> None:
    template, end, last_end = TEMPLATES[name]
    tokenizer = KINDS[kind](template=template)
    opens = " " if name == "brackets" else ""  # between the opening of an answer and its text
    shape = str.strip if name == "brackets" else str
    for first in ANSWERS[::2]:
        for last in ANSWERS:
            whole = Conversation(turns(first, last))
            (text,) = marked_conversation(tokenizer, whole, end_tokens(tokenizer), trains_all=False)
            ids, learned = tokens(tokenizer, text)
            expected = f"{opens}{shape(first)}{end}{opens}{shape(last)}{last_end}"
            assert exactly(tokenizer, learned) == expected
            assert text.text.endswith((last_end, f"{last_end}\n", f"{last_end}\n\n"))
            if name != "opens a thought":
                prompt, _ = tokens(tokenizer, marked_prompt(tokenizer, whole.before(3)))
                assert ids[: len(prompt)] == prompt  # prediction gets the very tokens that training has


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["chatml", "default system", "trailing space, no end", "trailing newlines", "tools"])
def test_an_answer_without_a_question_is_learned_alone(kind: str, name: str) -> None:
    template, end, last_end = TEMPLATES[name]
    tokenizer = KINDS[kind](template=template)
    whole = Conversation(turns("positive", "negative")[1:])
    (text,) = marked_conversation(tokenizer, whole, end_tokens(tokenizer), trains_all=False)
    _, learned = tokens(tokenizer, text)
    assert exactly(tokenizer, learned) == f"positive{end}negative{last_end}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompt", ["sentiment: ", "sentiment:", "sentiment:\n", "sentiment:\n\n", "sentiment"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_prompt_and_completion_are_tokenized_apart(kind: str, prompt: str, answer: str) -> None:
    tokenizer = KINDS[kind]()
    start, stop = len(prompt), len(prompt + answer)
    ids, learned = tokens(tokenizer, MarkedText(prompt + answer, (start,), ((start, stop),)))
    alone, _ = tokens(tokenizer, MarkedText(prompt))
    assert ids == [*alone, *learned]
    assert exactly(tokenizer, learned) == answer


def test_a_token_that_holds_the_end_of_an_answer_and_what_follows_is_learned() -> None:
    tokenizer = byte_level()
    text = "the film was good"
    ids, learned = tokens(tokenizer, MarkedText(text, (), ((0, 6),)))  # "the fi|lm"
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(learned) in text
    assert len(tokenizer.decode(learned)) >= 6


def test_turns_of_weight_0_are_read_and_not_learned() -> None:
    tokenizer = byte_level(template=CHATML)
    for key, value in (("weight", 0), ("weight", 0.0), ("train", False)):
        given = turns("positive", "negative", "good")
        given[3][key] = value
        given[1]["weight"] = 1
        for trains_all, unlearned in ((False, "what comes?"), (True, "negative")):
            (text,) = marked_conversation(tokenizer, Conversation(given), end_tokens(tokenizer), trains_all=trains_all)
            ids, learned = tokens(tokenizer, text)
            assert "negative" in tokenizer.decode(ids)
            assert "negative" not in tokenizer.decode(learned)
            assert unlearned not in tokenizer.decode(learned)
            assert "positive<|im_end|>" in tokenizer.decode(learned)
        assert tokenizer.decode(learned).count("what comes?") == 3


def test_calls_of_tools_are_learned_as_they_are_rendered_and_tools_reach_the_template() -> None:
    tokenizer = byte_level(template=TOOLS)
    call = {"type": "function", "function": {"name": "weather", "arguments": {"place": "Paris", "unit": None}}}
    given = [
        {"role": "user", "content": "rain?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "no"},
        {"role": "assistant", "content": "It stays dry."},
    ]
    tools = [{"type": "function", "function": {"name": "weather"}}]
    (text,) = marked_conversation(tokenizer, Conversation(given, tools), end_tokens(tokenizer), trains_all=False)
    assert text.text.startswith('<|im_start|>tools\n[{"type": "function"')
    rendered = 'CALL {"name": "weather", "arguments": {"place": "Paris", "unit": null}}<|im_end|>'
    assert tokenizer.decode(tokens(tokenizer, text)[1]) == f"{rendered}It stays dry.<|im_end|>"


@pytest.mark.parametrize("kind", KINDS)
def test_a_simple_template_begins_as_texts_of_the_model_do(kind: str) -> None:
    tokenizer = KINDS[kind]()
    before, _ = added_tokens(tokenizer)
    prepare_template(tokenizer)
    (text,) = marked_conversation(
        tokenizer, Conversation(turns("positive", "good")), end_tokens(tokenizer), trains_all=False
    )
    ids, learned = tokens(tokenizer, text)
    assert ids[: len(before)] == before
    assert ids.count(tokenizer.bos_token_id) == len(before)
    assert exactly(tokenizer, learned) == "positive</s>good</s>"
    assert end_of_answer(tokenizer) == tokenizer.eos_token_id


def test_a_template_that_writes_today_s_date_is_fixed(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = byte_level(template=TODAY)
    prepare_template(tokenizer)
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert rendered.startswith("Today is 26 Jul 2024\n")
    assert "the chat template writes today's date; 2024-07-26 stands for it" in caplog.text
    caplog.clear()
    prepare_template(tokenizer)
    assert not caplog.text
    tokenizer.chat_template = "{% set form = '%Y' %}{{ strftime_now(form) }}" + CHATML
    prepare_template(tokenizer)
    assert "so what is learned differs from day to day" in caplog.text


def test_what_ends_an_answer() -> None:
    for template, end in ((CHATML, "<|im_end|>"), (TWO_BRACKETS, "</s>"), (NO_END, None)):
        tokenizer = byte_level(template=template)
        assert end_of_answer(tokenizer) == (end and tokenizer.convert_tokens_to_ids(end))
    tokenizer = byte_level(template=CHATML.replace("<|im_end|>", "<|fin|>"))
    assert end_of_answer(tokenizer) is None
    tokenizer.add_tokens(["<|fin|>"])  # an ordinary token of the vocabulary, as some models' ends are
    assert end_of_answer(tokenizer) == tokenizer.convert_tokens_to_ids("<|fin|>")
