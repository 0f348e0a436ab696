"""Prompts and completions that are lists of turns: one conversation, of which the completion is learned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import predict
from adapt_core.errors import InputError

from ..chat_models import CHATML, TOOLS, byte_level, llama
from ..read_documents import Read
from .test_chat_runs import trained

USER, ASSISTANT = "<|im_start|>user\n", "<|im_start|>assistant\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return Read(tmp_path, llama(tmp_path / "model", byte_level(template=CHATML)))


@pytest.fixture
def reader(tmp_path: Path) -> Callable[..., Read]:
    return lambda template: Read(tmp_path, llama(tmp_path / "model", byte_level(template=template)))


def asked(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def answered(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


TEXT = f"{USER}dog<|im_end|>\n{ASSISTANT}cat<|im_end|>"


def test_the_template_is_applied_once_and_the_completion_alone_is_learned(read: Read) -> None:
    assert read([{"prompt": [asked("dog")], "completion": [answered("cat")]}]) == [(TEXT, "cat<|im_end|>")]
    assert read.stats["form"] == "messages"
    earlier = [asked("hello"), answered("good"), asked("dog")]
    before = f"{USER}hello<|im_end|>\n{ASSISTANT}good<|im_end|>\n"
    rows = [{"prompt": earlier, "completion": [answered("cat")]}]
    assert read(rows) == [(before + TEXT, "cat<|im_end|>")]
    ((text, learned),) = read(rows, loss_on="all")
    assert text.rstrip() == before + TEXT
    assert all(part in learned for part in ("hello", "good", "dog", "cat"))


def test_of_a_completion_of_several_turns_the_assistant_s_are_learned(read: Read) -> None:
    rows = [{"prompt": [asked("dog")], "completion": [answered("cat"), asked("hello"), answered("good")]}]
    ((text, learned),) = read(rows)
    assert text == f"{TEXT}\n{USER}hello<|im_end|>\n{ASSISTANT}good<|im_end|>"
    assert learned == "cat<|im_end|>good<|im_end|>"
    rows[0]["completion"][0]["weight"] = 0
    assert read(rows)[0][1] == "good<|im_end|>"


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        ({"prompt": [asked("dog")], "completion": "cat"}, {}),
        ({"prompt": "dog", "completion": [answered("cat")]}, {}),
        ({"history": [asked("dog")], "reply": "cat"}, {"input_column": "history", "target_column": "reply"}),
        ({"q": "dog", "a": [answered("cat")]}, {"input_column": "q", "target_column": "a"}),
        ({"prompt": [asked("dog")], "reply": [answered("cat")]}, {"target_column": "reply"}),
        ({"text": [asked("dog")], "reply": [answered("cat")]}, {"target_column": "reply"}),
    ],
    ids=["text completes turns", "turns complete text", "own, text", "own, turns", "own target", "text field"],
)
def test_columns_of_one_s_own_and_a_text_beside_turns(read: Read, row: dict[str, Any], keys: dict[str, str]) -> None:
    assert read([row], **keys) == [(TEXT, "cat<|im_end|>")]


def test_a_tokenizer_without_a_template_gets_the_simple_one(reader: Callable[..., Read]) -> None:
    ((text, learned),) = reader(None)([{"prompt": [asked("dog")], "completion": [answered("cat")]}])
    assert text == "### User:\ndog\n\n### Assistant:\ncat</s>"
    assert learned == "cat</s>"


def test_turns_in_the_form_of_sharegpt(read: Read) -> None:
    turns = [{"from": "human", "value": "dog"}, {"from": "gpt", "value": "cat"}]
    assert read([{"conversations": turns}]) == [(TEXT, "cat<|im_end|>")]
    assert read([{"talk": turns}], input_column="talk") == [(TEXT, "cat<|im_end|>")]
    assert read([{"prompt": turns[:1], "completion": turns[1:]}]) == [(TEXT, "cat<|im_end|>")]
    with pytest.raises(InputError, match="train row 1: turn 2 has the role 'bing'; roles are system, user, assistant"):
        read([{"conversations": [turns[0], {"from": "bing", "value": "cat"}]}])


def test_parquet_and_tools(reader: Callable[..., Read], tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    call = {"function": {"name": "get", "arguments": {"place": "Paris"}}}
    other = {"function": {"name": "get", "arguments": {"size": 1}}}
    rows = [
        {
            "prompt": [asked("dog")],
            "completion": [{"role": "assistant", "content": None, "tool_calls": [each]}],
            "tools": [{"name": "get"}],
        }
        for each in (call, other)
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    found = reader(TOOLS)(rows, CUSTOM_DATASET_PATH=str(tmp_path / "train.parquet"))
    assert [learned for _, learned in found] == [
        'CALL {"name": "get", "arguments": {"place": "Paris"}}<|im_end|>',
        'CALL {"name": "get", "arguments": {"size": 1}}<|im_end|>',
    ]
    assert all(text.startswith('<|im_start|>tools\n[{"name": "get"}]') for text, _ in found)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"prompt": [], "completion": [answered("cat")]}, "row 2: column 'prompt' has no turns"),
        ({"prompt": [asked("dog")], "completion": [asked("cat")]}, "column 'completion': no turn is the assistant's"),
        ({"prompt": [asked("dog")], "completion": []}, "row 2: column 'completion' has no turns"),
        ({"prompt": [asked("dog")], "completion": " "}, r"column 'completion': turn 1 \(assistant\) has no content"),
        ({"prompt": [{"from": "human"}], "completion": "cat"}, "column 'prompt': turn 1 has the role None"),
        ({"prompt": [asked("dog")], "completion": None}, r"row 2: column 'completion' is missing \(null\)"),
    ],
)
def test_a_fault_names_row_column_and_turn(read: Read, row: dict[str, Any], fault: str) -> None:
    good = {"prompt": [asked("dog")], "completion": [answered("cat")]}
    with pytest.raises(InputError, match=f"train .*{fault}"):
        read([good, row])


def test_predictions_are_made_with_the_same_prompt(tmp_path: Path) -> None:
    pairs = {"dog": "cat", "film": "positive", "plot": "negative", "hello": "good morning"}
    rows: list[Any] = [{"prompt": [asked(ask)], "completion": [answered(reply)]} for ask, reply in pairs.items()]
    result = trained(tmp_path, rows, CHATML, DO_EVAL=True, DATA_SPLIT=0.25)
    ((sample, *_), *_) = [
        held["samples"] for held in json.loads((Path(result.output_dir) / "evaluation.json").read_text()).values()
    ]
    ((held_out, reply),) = [pair for pair in pairs.items() if f"{USER}{pair[0]}<" in sample["input"]]
    assert (sample["input"], sample["expected"]) == (f"{USER}{held_out}<|im_end|>\n{ASSISTANT}", reply)
    kept = [row for row in rows if row["prompt"][0]["content"] != held_out]
    file = tmp_path / "asked.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in kept))
    found = predict(result.output_dir, [str(file), kept[0]["prompt"][0]["content"]])
    assert [answer["generated_text"] for answer in found][:-1] == [row["completion"][0]["content"] for row in kept]
    assert found[-1] == found[0]
