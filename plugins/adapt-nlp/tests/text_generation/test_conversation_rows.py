"""Rows of conversations, questions and pairs as documents: ends and beginnings once, tools, weights, own columns."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError

from ..chat_models import CHATML, NO_END, THINKING, TODAY, TOOLS, byte_level, llama
from ..read_documents import Read

ASKED = {"role": "user", "content": "what comes?"}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"place": "Paris", "unit": None}}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}


@pytest.fixture
def reader(tmp_path: Path) -> Callable[..., Read]:
    """Makes a reader of rows for a byte-level tokenizer; see `byte_level`."""

    def make(**tokenizer: Any) -> Read:
        return Read(tmp_path, llama(tmp_path / "model", byte_level(**tokenizer)))

    return make


def answered(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def test_columns_of_one_s_own_are_a_conversation_where_there_is_a_chat_template(reader: Callable[..., Read]) -> None:
    read = reader(template=CHATML)
    rows = [{"question": "dog", "answer": "cat", "input": "unrelated"}]
    text = "<|im_start|>user\ndog<|im_end|>\n<|im_start|>assistant\ncat<|im_end|>"
    assert read(rows, input_column="question", target_column="answer") == [(text, "cat<|im_end|>")]
    assert read.stats["form"] == "instructions"
    assert read(rows, dataset_text_field="question", target_column="answer") == [(text, "cat<|im_end|>")]
    # Texts that a template rendered already, and those that FORMAT_STRING writes, stay what they are.
    rendered = [{"question": text.removesuffix("cat<|im_end|>"), "answer": "cat<|im_end|>"}]
    assert read(rendered, input_column="question", target_column="answer") == [(f"{text}</s>", "cat<|im_end|></s>")]
    assert read(rows, FORMAT_STRING="{question}: ", target_column="answer") == [("dog: cat</s>", "cat</s>")]


def test_a_completion_is_learned_whole_though_its_prompt_ends_with_a_space(reader: Callable[..., Read]) -> None:
    row = {"prompt": "review: the film was good\nsentiment: ", "completion": "positive"}
    ((text, learned),) = reader()([row])
    assert text == "review: the film was good\nsentiment: positive</s>"
    assert learned == "positive</s>"


@pytest.mark.parametrize("adds", ["$A", "<s> $A", "$A </s>", "<s> $A </s>"])
def test_beginning_and_end_stand_once_whatever_the_tokenizer_adds(reader: Callable[..., Read], adds: str) -> None:
    read = reader(adds=adds)
    start = "<s>" if "<s>" in adds else ""
    assert read([{"text": "dog cat"}])[0][0] == f"{start}dog cat</s>"
    assert read([{"text": f"{start}dog cat</s>"}])[0][0] == f"{start}dog cat</s>"
    assert read([{"prompt": "dog", "completion": " cat"}]) == [(f"{start}dog cat</s>", " cat</s>")]
    ((text, learned),) = read([{"instruction": "dog", "output": "cat"}])
    assert text == f"{start}### User:\ndog\n\n### Assistant:\ncat</s>"
    assert learned == "cat</s>"


@pytest.mark.parametrize("packing", [True, False], ids=["packed", "padded"])
def test_where_a_template_marks_no_end_the_end_token_is_learned(
    reader: Callable[..., Read], caplog: pytest.LogCaptureFixture, packing: bool
) -> None:
    rows = [{"messages": [ASKED, answered("dog"), ASKED, answered("cat"), ASKED]}]
    read = reader(template=NO_END)
    with caplog.at_level(logging.WARNING):
        assert read(rows, packing=packing) == [
            ("User: what comes?\nAssistant: dog\nUser: what comes?\nAssistant: cat</s>", "dogcat</s>")
        ]
    assert "the chat template marks no end of an answer: </s> is learned" in caplog.text
    ((text, _),) = read(rows, loss_on="all", packing=packing)
    assert text.endswith("cat\nUser: what comes?\n")
    ((text, _),) = read([{"messages": rows[0]["messages"][:-1]}], loss_on="all", packing=packing)
    assert text.endswith("Assistant: cat</s>")


def test_tools_and_their_calls_are_rendered_as_they_are_written(
    reader: Callable[..., Read], caplog: pytest.LogCaptureFixture
) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"place": {"type": "string"}}}}]
    other = [{"type": "function", "function": {"name": "add", "parameters": {"a": {"type": "number"}}}}]
    conversation = [ASKED, CALLING, {"role": "tool", "content": "dry"}, answered("It is dry.")]
    rows = [
        {"messages": conversation, "tools": tools},
        {"messages": [ASKED, answered("two")], "tools": other},
        {"messages": [ASKED, answered("none")], "tools": None},
    ]
    read = reader(template=TOOLS)
    found = read(rows)
    call = 'CALL {"name": "weather", "arguments": {"place": "Paris", "unit": null}}<|im_end|>'
    assert [learned for _, learned in found] == [f"{call}It is dry.<|im_end|>", "two<|im_end|>", "none<|im_end|>"]
    assert '{"name": "weather", "parameters": {"place": {"type": "string"}}}' in found[0][0]
    assert '"place"' not in found[1][0]
    assert found[2][0].startswith("<|im_start|>user")
    assert "no effect" not in caplog.text
    with pytest.raises(InputError, match=r"train row 1: column 'tools' is dict .*, not a list of tools"):
        read([{"messages": [ASKED, answered("two")], "tools": {"name": "add"}}])
    with pytest.raises(InputError, match=r"column 'tools' is text that is not JSON \(Expecting value: line 1 column 2"):
        read([{"messages": [ASKED, answered("two")], "tools": "[add]"}])
    read.template = CHATML
    read(rows[1:])
    assert "train split: the chat template renders no tools, so the column 'tools' has no effect" in caplog.text


def test_calls_that_the_template_leaves_out_are_named_by_their_row(reader: Callable[..., Read]) -> None:
    left_out = TOOLS.replace("m['tool_calls'] or []", "[]")
    with pytest.raises(InputError, match=r"row 1: turn 2 \(assistant\) has no content, and the chat template leaves"):
        reader(template=left_out)([{"messages": [ASKED, CALLING]}])
    with pytest.raises(InputError, match="row 1: the chat template rejects the conversation"):
        reader(template=CHATML)([{"messages": [ASKED, CALLING]}])


def test_a_turn_of_weight_0_is_read_and_not_learned(reader: Callable[..., Read]) -> None:
    read = reader(template=CHATML)
    rows = [
        {"messages": [ASKED, answered("dog", weight=0), ASKED, answered("cat", weight=1)]},
        {"messages": [ASKED, answered("dog", train=False), ASKED, answered("cat")]},
        {"messages": [ASKED, answered("cat"), ASKED, answered("dog", weight=0)]},
    ]
    asked, answer = "<|im_start|>user\nwhat comes?<|im_end|>\n", "<|im_start|>assistant\n"
    dog_first = f"{asked}{answer}dog<|im_end|>\n{asked}{answer}cat<|im_end|>"
    cat_first = f"{asked}{answer}cat<|im_end|>"  # what follows the last learned token changes nothing
    assert read(rows) == [(text, "cat<|im_end|>") for text in (dog_first, dog_first, cat_first)]
    for bad, fault in (
        ([ASKED, answered("dog", weight=0.5)], r"turn 2 \(assistant\) has the weight 0.5; it is 0"),
        ([ASKED, answered("dog", train="no")], r"turn 2 \(assistant\) has train 'no'; it is true or false"),
        ([ASKED, answered("dog", weight=0)], "every turn of the assistant has weight 0, or train or loss false"),
    ):
        with pytest.raises(InputError, match=f"train row 1: {fault}"):
            read([{"messages": bad}])


def test_a_date_in_the_template_does_not_change_the_rows_of_another_day(reader: Callable[..., Read]) -> None:
    ((text, learned),) = reader(template=TODAY)([{"messages": [ASKED, answered("dog")]}])
    assert text.startswith("Today is 26 Jul 2024\n<|im_start|>user")
    assert learned == "dog<|im_end|>"


def test_an_opening_that_predictions_alone_have_is_told(
    reader: Callable[..., Read], caplog: pytest.LogCaptureFixture
) -> None:
    read = reader(template=THINKING)
    assert read([{"messages": [ASKED, answered("<think>\nhm</think>dog")]}])[0][1] == "hm</think>dog<|im_end|>"
    assert "opens an answer" not in caplog.text
    assert read([{"messages": [ASKED, answered("dog")]}])[0][1] == "dog<|im_end|>"
    assert r"opens an answer to predict with '<think>\n', which the answers of the data do not have" in caplog.text


def test_arguments_that_parquet_fills_with_null_are_not_learned(reader: Callable[..., Read], tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    calls = [{"function": {"name": "get", "arguments": arguments}} for arguments in ({"place": "Paris"}, {"size": 1})]
    rows = [{"messages": [ASKED, {"role": "assistant", "content": None, "tool_calls": [call]}]} for call in calls]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    found = reader(template=TOOLS)(rows, CUSTOM_DATASET_PATH=str(tmp_path / "train.parquet"))
    assert [learned for _, learned in found] == [
        'CALL {"name": "get", "arguments": {"place": "Paris"}}<|im_end|>',
        'CALL {"name": "get", "arguments": {"size": 1}}<|im_end|>',
    ]
