"""Conversations in the layouts of other tools are learned as the same conversation in the plain one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError

from ..chat_models import CHATML, TOOLS, byte_level, llama
from ..read_documents import Read

ASKED = {"role": "user", "content": "weather?"}
CALL = {"name": "weather", "arguments": {"place": "Paris"}}
DRY = {"role": "assistant", "content": "It is dry."}
TOOL = {"name": "weather", "parameters": {"place": {"type": "string"}}}
JOINED = TOOLS.replace("call['function'] | tojson", "call['function']['name'] + call['function']['arguments']")
"""A template that takes arguments as text alone."""
AS_PYTHON = TOOLS.replace("call['function'] | tojson", "call['function']['name'] ~ ' ' ~ call['function']['arguments']")
"""One that takes any, and writes a mapping as Python does."""
MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['role'] == 'assistant' %}{% generation %}"
    "{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}"
    "{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@pytest.fixture
def reader(tmp_path: Path) -> Callable[[str], Read]:
    """Makes a reader of rows for a chat template."""
    return lambda template: Read(tmp_path, llama(tmp_path / "model", byte_level(template=template)))


def calling(**keys: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, **keys}


def with_arguments(arguments: object) -> dict[str, Any]:
    return calling(tool_calls=[{"type": "function", "function": {"name": "weather", "arguments": arguments}}])


@pytest.mark.parametrize(
    ("template", "learned"),
    [
        (TOOLS, 'CALL {"name": "weather", "arguments": {"place": "Paris"}}<|im_end|>'),
        (JOINED, 'CALL weather{"place": "Paris"}<|im_end|>'),
        (AS_PYTHON, 'CALL weather {"place": "Paris"}<|im_end|>'),
    ],
    ids=["tojson", "joined", "written"],
)
def test_arguments_are_what_the_template_takes(reader: Callable[[str], Read], template: str, learned: str) -> None:
    """OpenAI's files have arguments as JSON text: `tojson` would quote it once more."""
    text = json.dumps({"place": "Paris"})
    old = calling(function_call={"name": "weather", "arguments": text})
    for turn in (with_arguments({"place": "Paris"}), with_arguments(text), old):
        ((_, found),) = reader(template)([{"messages": [ASKED, turn]}])
        assert found == learned


def test_calls_may_be_json_text(reader: Callable[[str], Read]) -> None:
    calls = with_arguments({"place": "Paris"})["tool_calls"]
    turns = [ASKED, {**calling(tool_calls=json.dumps(calls)), "content": "So:"}]
    ((_, found),) = reader(TOOLS)([{"messages": turns}])
    assert found == 'So:CALL {"name": "weather", "arguments": {"place": "Paris"}}<|im_end|>'


def test_a_template_of_function_calls_gets_them(reader: Callable[[str], Read]) -> None:
    earlier = TOOLS.replace(
        "{% for call in m['tool_calls'] or [] %}{{ 'CALL ' + call['function'] | tojson }}{% endfor %}",
        "{% if m['function_call'] %}{{ 'CALL ' + m['function_call'] | tojson }}{% endif %}",
    )
    ((_, found),) = reader(earlier)([{"messages": [ASKED, calling(function_call=CALL)]}])
    assert found == 'CALL {"name": "weather", "arguments": {"place": "Paris"}}<|im_end|>'


def test_functions_of_instructions_have_no_keys_of_each_other(reader: Callable[[str], Read]) -> None:
    rows = [
        {"instruction": "cat?", "output": "good", key: [{"name": name, "parameters": {name: {"type": "string"}}}]}
        for key in ("functions",)
        for name in ("a", "b")
    ]
    first = reader(TOOLS)(rows)[0][0]
    assert '"parameters": {"a": {"type": "string"}}' in first


def test_a_loss_that_is_a_figure_says_nothing(reader: Callable[[str], Read]) -> None:
    ((_, found),) = reader(CHATML)([{"messages": [ASKED, {**DRY, "loss": 0.53}]}])
    assert found == "It is dry.<|im_end|>"


def test_arguments_that_are_no_json_stay_as_they_are(reader: Callable[[str], Read]) -> None:
    ((_, found),) = reader(TOOLS)([{"messages": [ASKED, with_arguments("Paris")]}])
    assert found == 'CALL {"name": "weather", "arguments": "Paris"}<|im_end|>'


def test_sharegpt_is_learned_as_messages(reader: Callable[[str], Read]) -> None:
    turns = [
        {"from": "human", "value": "weather?"},
        {"from": "function_call", "value": json.dumps(CALL)},
        {"from": "observation", "value": "dry"},
        {"from": "gpt", "value": "It is dry."},
    ]
    tools = [{"type": "function", "function": TOOL}]
    messages = [ASKED, with_arguments(CALL["arguments"]), {"role": "tool", "content": "dry"}, DRY]
    plain = [{"messages": [{"role": "system", "content": "Be brief."}, *messages], "tools": tools}]
    row = {"conversations": turns, "system": "Be brief.", "tools": json.dumps(tools)}
    read = reader(TOOLS)
    assert read([row]) == read(plain)
    assert read([{**row, "system": ""}]) == read([{"messages": messages, "tools": tools}])
    # A template without calls gets the text, as it stands.
    without = [{"conversations": [*turns[:2]]}]
    assert reader(CHATML)(without)[0][1] == json.dumps(CALL) + "<|im_end|>"


def test_openai_s_earlier_files_are_learned_as_its_later_ones(reader: Callable[[str], Read]) -> None:
    later = [
        {"role": "system", "content": "Be brief."},
        ASKED,
        with_arguments({"place": "Paris"}),
        {"role": "tool", "content": "dry"},
        DRY,
    ]
    earlier = [
        {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
        ASKED,
        calling(function_call={"name": "weather", "arguments": '{"place": "Paris"}'}),
        {"role": "function", "content": "dry"},
        DRY,
    ]
    read = reader(TOOLS)
    tools = [{"type": "function", "function": TOOL}]
    assert read([{"messages": earlier, "functions": [TOOL]}]) == read([{"messages": later, "tools": tools}])
    with pytest.raises(InputError, match="row 1: columns 'tools' and 'functions' both describe tools"):
        read([{"messages": earlier, "functions": [TOOL], "tools": tools}])


def test_alpaca_has_a_system_text_and_a_history(
    reader: Callable[[str], Read], caplog: pytest.LogCaptureFixture
) -> None:
    row = {"instruction": "cat?", "input": "", "output": "good", "system": "Be brief.", "history": [["dog?", "bad"]]}
    said = [("system", "Be brief."), ("user", "dog?"), ("assistant", "bad"), ("user", "cat?"), ("assistant", "good")]
    read = reader(CHATML)
    with caplog.at_level(logging.INFO):
        found = read([row, {**row, "system": None, "history": []}])
    assert "train split: read beside the conversations: the columns 'system', 'history'" in caplog.text
    assert found[0] == read([{"messages": [{"role": role, "content": text} for role, text in said]}])[0]
    assert found[0][1] == "bad<|im_end|>good<|im_end|>"
    assert found[1] == read([{"instruction": "cat?", "output": "good"}])[0]


def test_a_history_without_an_answer_is_told(reader: Callable[[str], Read]) -> None:
    row = {"instruction": "cat?", "output": "good", "history": [["dog?", " "]]}
    with pytest.raises(InputError, match=r"row 1: column 'history', entry 1: .* is not a question and its answer"):
        reader(CHATML)([row])


def test_a_system_turn_of_a_conversation_s_own_stands(reader: Callable[[str], Read]) -> None:
    turns = [{"role": "system", "content": "Be brief."}, ASKED, DRY]
    read = reader(CHATML)
    assert read([{"messages": turns, "system": "gpt4"}]) == read([{"messages": turns}])


def test_a_template_without_a_system_turn_names_the_column(reader: Callable[[str], Read]) -> None:
    rejecting = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
    with pytest.raises(InputError, match=r"no system \(its first turn is the column 'system': rename or drop it"):
        reader(rejecting)([{"messages": [ASKED, DRY], "system": "linux"}])


def test_a_column_that_is_no_context_is_not_read(
    reader: Callable[[str], Read], caplog: pytest.LogCaptureFixture
) -> None:
    row = {"instruction": "cat?", "output": "good"}
    read = reader(CHATML)
    others: list[dict[str, Any]] = [
        {"history": "asked twice", "system": 7, "functions": "add, sub", "id": 3},
        {"history": ["q1", "q2"], "system": 7, "functions": ["add"], "id": 3},
        {"history": [{"role": "user", "content": "q1"}], "system": 7, "functions": {"a": 1}, "id": 3},
    ]
    for other in others:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert read([{**row, **other}]) == read([row])
        assert (
            "train split: columns that are not read, of 1 rows: 'history', 'system', 'functions', 'id'" in caplog.text
        )


@pytest.mark.parametrize("key", ["weight", "train", "loss"])
def test_an_answer_that_is_not_to_be_learned_is_read(reader: Callable[[str], Read], key: str) -> None:
    no: object = 0 if key == "weight" else False
    turns = [ASKED, {"role": "assistant", "content": "wrong", key: no}, ASKED, DRY]
    ((text, learned),) = reader(CHATML)([{"messages": turns}])
    assert "wrong" in text
    assert learned == "It is dry.<|im_end|>"


def test_keys_of_turns_that_nothing_reads_are_said_once_with_their_number(
    reader: Callable[[str], Read], caplog: pytest.LogCaptureFixture
) -> None:
    turns = [{**ASKED, "name": "Ann"}, {**DRY, "trainable": False, "name": None}]
    named = CHATML.replace("m['role'] +", "(m['name'] or m['role']) +")
    reader(CHATML)([{"messages": turns}] * 3)
    assert caplog.text.count("reads these keys of turns") == 1
    assert (
        "train split: neither adapt nor the chat template reads these keys of turns: 'name' (3 turns), 'trainable' (3 "
        "turns)" in caplog.text
    )
    caplog.clear()
    reader(named)([{"messages": turns}])
    assert "reads these keys of turns: 'trainable' (1 turns)" in caplog.text


def test_what_is_learned_is_what_a_template_marks_as_generated(reader: Callable[[str], Read]) -> None:
    """transformers takes the answers from {% generation %}; ours are found from the rendered text."""
    from adapt_nlp.text_generation.task import TextGeneration

    turns = [ASKED, DRY, ASKED, {"role": "assistant", "content": "Still dry, the plot was good."}]
    read = reader(MARKED)
    plan = read.plan([{"messages": turns}])
    task = TextGeneration(plan)
    row = task.load_data().train[0]
    marked = task.tokenizer.apply_chat_template(
        turns, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    theirs = [
        token for token, is_answer in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if is_answer
    ]
    assert [token for token in row["labels"] if token >= 0] == theirs
    assert task.tokenizer.decode(theirs) == "It is dry.<|im_end|>Still dry, the plot was good.<|im_end|>"
