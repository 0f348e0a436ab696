"""Variables of the chat template, for all rows and for each: what is learned, cached and predicted has them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import predict
from adapt_core.errors import InputError

from ..chat_models import CHATML, byte_level, llama
from ..read_documents import Read
from .test_chat_runs import as_the_card_writes, trained

THINKS = (
    "{% if documents %}{% for d in documents %}{{ '[' + d['title'] + '] ' }}{% endfor %}{% endif %}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '/no_think ' }}{% endif %}"
    "{% if mood is defined %}{{ mood + ' ' }}{% endif %}"
) + CHATML
ASKED = {"role": "user", "content": "dog"}
TURNS = {"messages": [ASKED, {"role": "assistant", "content": "cat"}]}
PAIR = {"instruction": "dog", "output": "cat"}
TEXT = "<|im_start|>user\ndog<|im_end|>\n<|im_start|>assistant\ncat<|im_end|>"


@pytest.fixture
def reader(tmp_path: Path) -> Callable[..., Read]:
    return lambda template=THINKS: Read(tmp_path, llama(tmp_path / "model", byte_level(template=template)))


def texts(found: list[tuple[str, str]]) -> list[str]:
    assert all(learned == "cat<|im_end|>" for _, learned in found)
    return [text for text, _ in found]


@pytest.mark.parametrize("row", [TURNS, PAIR, {"prompt": [ASKED], "completion": "cat"}], ids=["turns", "pair", "both"])
def test_columns_of_a_row_reach_the_template(reader: Callable[..., Read], row: dict[str, Any]) -> None:
    documents = [{"title": "A"}, {"title": "B"}]
    rows = [
        {**row, "enable_thinking": False},
        {**row, "documents": documents, "enable_thinking": True},
        {**row, "mood": "glad"},
        {**row, "chat_template_kwargs": {"mood": "sad", "enable_thinking": False}},
        row,
    ]
    read = reader()
    assert texts(read(rows)) == ["/no_think " + TEXT, "[A] [B] " + TEXT, "glad " + TEXT, "/no_think sad " + TEXT, TEXT]


def test_the_config_s_are_those_of_all_rows_and_a_row_s_own_stand_over_them(reader: Callable[..., Read]) -> None:
    read = reader()
    rows = [TURNS, {**TURNS, "enable_thinking": True}, {**TURNS, "mood": "glad"}]
    common = {"enable_thinking": False}
    assert texts(read(rows, chat_template_kwargs=common)) == ["/no_think " + TEXT, TEXT, "/no_think glad " + TEXT]
    # Rows of the cache are those of the same variables.
    assert texts(read(rows)) == [TEXT, TEXT, "glad " + TEXT]
    assert texts(read(rows, chat_template_kwargs={"mood": "sad"})) == ["sad " + TEXT, "sad " + TEXT, "glad " + TEXT]
    assert texts(read([TURNS, {**TURNS, "enable_thinking": False}])) == [TEXT, "/no_think " + TEXT]


def test_a_table_spells_them_as_text(reader: Callable[..., Read], tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text(
        "instruction,output,enable_thinking,documents,chat_template_kwargs\n"
        'dog,cat,False,"[{""title"": ""A""}]",\n'
        'dog,cat,true,,"{""mood"": ""sad""}"\n'
    )
    read = reader()
    assert texts(read([], CUSTOM_DATASET_PATH=str(file))) == ["[A] /no_think " + TEXT, "sad " + TEXT]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("sad", "column 'chat_template_kwargs' is str 'sad', not a mapping of variables"),
        ({"messages": []}, "column 'chat_template_kwargs' is a mapping with 'messages', which adapt gives"),
        ({"tokenize": True}, "column 'chat_template_kwargs' is a mapping with 'tokenize', which adapt gives"),
    ],
)
def test_what_is_no_mapping_of_variables_is_named(reader: Callable[..., Read], value: object, fault: str) -> None:
    with pytest.raises(InputError, match=f"train row 1: {fault}"):
        reader()([{**TURNS, "chat_template_kwargs": value}])


def test_the_config_s_are_checked_before_data_is_read(reader: Callable[..., Read]) -> None:
    with pytest.raises(InputError, match="chat_template_kwargs is a mapping with 'messages', which adapt gives"):
        reader().plan([TURNS], chat_template_kwargs={"messages": []})


def test_a_template_without_the_variable_is_told(reader: Callable[..., Read], caplog: pytest.LogCaptureFixture) -> None:
    read = reader(CHATML)
    assert texts(read([{**TURNS, "documents": [{"title": "A"}], "mood": "glad"}])) == [TEXT]
    assert "train split: the chat template has no variable 'documents', so the data's has no effect" in caplog.text
    assert "mood" not in caplog.text  # a column of the user's own, unless the template asks for it
    read([{**TURNS, "chat_template_kwargs": {"mood": "sad"}}], chat_template_kwargs={"enable_thinkin": True})
    assert "the chat template has no variable 'mood'" in caplog.text
    assert "chat_template_kwargs: the chat template has no variable 'enable_thinkin'" in caplog.text


def test_a_column_that_reaches_the_template_is_told_once(
    reader: Callable[..., Read], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    branch = "{% if 1 > 2 %}{% set content = 'x' %}{% endif %}{% if content %}{{ content + ' ' }}{% endif %}" + CHATML
    assert texts(reader(branch)([{**TURNS, "content": "mine", "note": "a"}] * 2)) == ["mine " + TEXT] * 2
    told = [line for line in caplog.messages if "is given the columns" in line]
    assert told == [
        "train split: the chat template is given the columns 'content'; rename or drop one that is not meant for it"
    ]
    caplog.clear()
    reader(branch)([{**TURNS, "note": "a"}])
    assert "is given the columns" not in caplog.text


@pytest.mark.parametrize("row", [TURNS, PAIR], ids=["turns", "pair"])
def test_keys_that_parquet_fills_with_null_reach_no_template(
    reader: Callable[..., Read], tmp_path: Path, row: dict[str, Any]
) -> None:
    import pyarrow
    import pyarrow.parquet

    dump = "{{ tools | tojson if tools }}{{ documents | tojson if documents }} " + CHATML
    rows = [
        {**row, "tools": [{"name": "get", "parameters": {"place": "text"}}], "documents": [{"title": "A"}]},
        {**row, "tools": [{"name": "put", "parameters": {"size": "number"}}], "documents": [{"text": "B"}]},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    expected = [json.dumps(each["tools"]) + json.dumps(each["documents"]) + " " + TEXT for each in rows]
    assert texts(reader(dump)(rows, CUSTOM_DATASET_PATH=str(tmp_path / "train.parquet"))) == expected
    assert texts(reader(dump)(rows)) == expected


def test_a_template_that_marks_what_is_generated_names_its_variables_too(reader: Callable[..., Read]) -> None:
    marked = THINKS.replace("{{ '<|im_start|>' +", "{% generation %}{{ '<|im_start|>' +", 1).replace(
        "{% endfor %}{% if add", "{% endgeneration %}{% endfor %}{% if add"
    )
    assert marked.count("generation %}") == 2
    assert texts(reader(marked)([{**TURNS, "mood": "glad"}])) == ["glad " + TEXT]


def test_predict_and_the_card_s_lines_have_them(tmp_path: Path, python: Callable[..., Any]) -> None:
    rows: list[Any] = [
        {"messages": [ASKED, {"role": "assistant", "content": answer}], "mood": mood}
        for mood, answer in (("glad", "positive"), ("sad", "negative"), (None, "cat"))
    ]
    result = trained(tmp_path, rows, THINKS, chat_template_kwargs={"enable_thinking": False})
    asked = [json.dumps({"messages": [ASKED], "mood": mood}) for mood in ("glad", "sad")]
    found = predict(result.output_dir, [*asked, "dog"])
    assert [answer["generated_text"] for answer in found] == ["positive", "negative", "cat"]
    with pytest.raises(InputError, match="input 1: column 'chat_template_kwargs' is str 'sad', not a mapping"):
        predict(result.output_dir, [json.dumps({"messages": [ASKED], "chat_template_kwargs": "sad"})])
    folder = Path(result.output_dir)
    assert "variables = {'enable_thinking': False}" in (folder / "README.md").read_text()
    assert as_the_card_writes(python, folder, "Name three rivers.", "dog") == "cat"
