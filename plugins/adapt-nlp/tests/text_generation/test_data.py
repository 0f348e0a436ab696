"""What rows of text_generation become: which tokens there are, and which of them are learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError

from ..read_documents import Read

CHAT = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "hello there"},
    {"role": "assistant", "content": "good morning"},
    {"role": "user", "content": "and now"},
    {"role": "assistant", "content": "good night"},
]
LAST_ONLY = (
    "{% for m in messages %}{{ m['role'] + ': ' }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ '(thought) ' }}{% endif %}{{ m['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
"""A template that shows the thoughts of the last answer alone, as templates of reasoning models do."""
ALTERNATING = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m['content'] + eos_token }}{% endfor %}"
)


@pytest.fixture
def read(tmp_path: Path, tiny_llama: Path) -> Read:
    return Read(tmp_path, tiny_llama)


def test_all_of_a_plain_text_is_learned_but_its_first_token_and_it_ends(read: Read) -> None:
    assert read([{"text": "xyz"}, {"text": "zzz"}]) == [("xyz<|end|>", "yz<|end|>"), ("zzz<|end|>", "zz<|end|>")]
    assert read.stats["form"] == "text"


def test_dataset_text_field_and_input_column_name_the_text(read: Read) -> None:
    assert read([{"body": "xyz"}], dataset_text_field="body")[0][0] == "xyz<|end|>"
    assert read([{"body": "xyz", "text": "no"}], input_column="body")[0][0] == "xyz<|end|>"


def test_format_string_builds_the_text_and_an_empty_column_is_no_fault(read: Read) -> None:
    rows = [{"a": "one", "b": "two"}, {"a": "one", "b": None}, {"a": "one", "b": ""}]
    texts = [text for text, _ in read(rows, FORMAT_STRING="{a} / {b}")]
    assert texts == ["one / two<|end|>", "one / <|end|>", "one / <|end|>"]


def test_with_a_target_column_the_target_alone_is_learned(read: Read) -> None:
    rows = [{"q": "one", "a": " two"}]
    whole = "one two<|end|>"
    assert read(rows, input_column="q", target_column="a") == [(whole, " two<|end|>")]
    assert read(rows, FORMAT_STRING="{q}", target_column="a") == [(whole, " two<|end|>")]
    assert read([{"prompt": "one", "completion": " two"}]) == [(whole, " two<|end|>")]
    ((text, learned),) = read(rows, input_column="q", target_column="a", loss_on="all")
    assert text == whole
    assert learned.endswith("e two<|end|>")


def test_of_instructions_the_output_is_learned_and_an_empty_input_is_no_fault(read: Read) -> None:
    rows = [
        {"instruction": "add", "input": "1 and 2", "output": "3"},
        {"instruction": "say hi", "input": "", "output": "hi"},
        {"instruction": "say ho", "input": None, "output": "ho"},
    ]
    assert read(rows) == [
        ("### User:\nadd\n\n1 and 2\n\n### Assistant:\n3<|end|>", "3<|end|>"),
        ("### User:\nsay hi\n\n### Assistant:\nhi<|end|>", "hi<|end|>"),
        ("### User:\nsay ho\n\n### Assistant:\nho<|end|>", "ho<|end|>"),
    ]
    assert read([{"instruction": "add", "output": "3"}])[0][1] == "3<|end|>"


def test_of_a_conversation_the_assistant_s_answers_are_learned(read: Read) -> None:
    ((text, learned),) = read([{"messages": CHAT}])
    assert learned == "good morning<|end|>good night<|end|>"
    assert text.startswith("### System:\nbe kind\n\n### User:\nhello there\n\n### Assistant:\n")
    # Nothing behind the last answer: a turn that nobody answers teaches nothing.
    assert read([{"messages": [*CHAT, CHAT[1]]}]) == [(text, learned)]
    assert read([{"talk": CHAT}], input_column="talk") == [(text, learned)]
    assert "hello there" in read([{"messages": CHAT}], loss_on="all")[0][1]


def test_a_template_that_rewrites_earlier_answers_gives_a_document_for_each(read: Read) -> None:
    read.template = LAST_ONLY
    found = read([{"messages": CHAT}])
    assert [learned for _, learned in found] == ["(thought) good morning<|end|>", "(thought) good night<|end|>"]
    assert "assistant: good morning<|end|>user: and now" in found[1][0]


def test_an_earlier_answer_of_weight_0_is_never_learned_where_a_template_rewrites_it(read: Read) -> None:
    read.template = LAST_ONLY
    left_out = [{**turn, "weight": 0} if turn["content"] == "good morning" else turn for turn in CHAT]
    ((text, learned),) = read([{"messages": left_out}], loss_on="all")
    assert "assistant: good morning<|end|>user: and now" in text
    assert learned == "(thought) good night<|end|>"
    ((text, learned),) = read([{"messages": CHAT}], loss_on="all")
    assert learned == text[1:], "nothing comes before the first token, so it has no loss"
    assert "assistant: good morning<|end|>user: and now" in learned
    neither = [{**turn, "weight": 0} for turn in CHAT]
    ((text, learned),) = read([{"messages": neither}], loss_on="all")
    assert learned == text[1:]
    assert learned.endswith("user: hello there<|end|>assistant: ")


def test_long_text_goes_on_in_a_further_document(read: Read) -> None:
    text = "abcdefghijklmnopqrstuvwxyz" * 4
    found = read([{"text": text}], max_seq_length=20)
    assert "".join(part for part, _ in found) == f"{text}<|end|>"
    assert max(read.lengths) == 20
    assert read.stats["train_documents"] == len(found) > 1


def test_long_answers_are_cut_and_prompts_without_an_answer_left_out(read: Read) -> None:
    rows = [{"prompt": "x", "completion": "yz" * 40}, {"prompt": "yz" * 40, "completion": "x"}]
    (only,) = read(rows, max_seq_length=20)
    assert only[0].startswith("xyz")
    assert read.lengths == [20]
    assert (read.stats["train_cut"], read.stats["train_left_out"]) == (2, 1)
    with pytest.raises(InputError, match="has anything to learn within max_seq_length 20"):
        read(rows[1:], max_seq_length=20)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ("hello", "is str, not a list of turns|no column|cannot be read"),
        ([], "has no turns"),
        ([CHAT[1], {"role": "assistant", "content": None}], r"turn 2 \(assistant\) has no content"),
        ([CHAT[1], {"role": "assistant"}], r"turn 2 \(assistant\) has no content"),
        ([CHAT[1], {"role": "assistant", "content": " "}], r"turn 2 \(assistant\) has no content"),
        ([{"role": "robot", "content": "x"}], "turn 1 has the role 'robot'; roles are system, user, assistant, tool"),
        ([CHAT[1]], "no turn is the assistant's"),
        (None, r"column 'messages' is missing \(null\)"),
    ],
)
def test_a_bad_conversation_is_named_by_its_row_or_dropped(read: Read, bad: Any, fault: str) -> None:
    rows = [{"messages": CHAT}, {"messages": bad}, {"messages": CHAT}]
    with pytest.raises(InputError, match=f"train row 2: .*({fault})") as caught:
        read(rows)
    assert "SKIP_BAD_ROWS=true" in str(caught.value)
    assert len(read(rows, SKIP_BAD_ROWS=True)) == 2
    assert read.stats["train_dropped"] == 1


def test_a_conversation_that_the_template_refuses_is_named(read: Read) -> None:
    read.template = ALTERNATING
    with pytest.raises(InputError, match="train row 1: the chat template rejects the conversation: roles must alt"):
        read([{"messages": [CHAT[1], CHAT[1], CHAT[2]]}])


def test_an_empty_document_is_named_by_its_row(read: Read) -> None:
    for row in ({"text": ""}, {"text": "  "}, {"text": None}):
        with pytest.raises(InputError, match="train row 2: column 'text' is "):
            read([{"text": "fine"}, row])
    with pytest.raises(InputError, match="train row 1: column 'output' is empty"):
        read([{"instruction": "x", "output": ""}])
    with pytest.raises(InputError, match="train row 1: every column of FORMAT_STRING is empty"):
        read([{"a": "", "b": None}, {"a": "x", "b": "y"}], FORMAT_STRING="{a}{b}")


def test_missing_columns_list_those_there_are(read: Read) -> None:
    with pytest.raises(InputError, match="no column 'text'; it has: body, title") as caught:
        read([{"body": "x", "title": "y"}])
    assert "'instruction' with 'output'" in str(caught.value)
    with pytest.raises(InputError, match=r"input_column: .* no column 'bdy'; it has: body. Did you mean 'body'"):
        read([{"body": "x"}], input_column="bdy")


def test_more_than_the_model_s_positions_is_refused_but_for_the_default(tmp_path: Path, tiny_gpt2: Path) -> None:
    read = Read(tmp_path, tiny_gpt2)
    read([{"text": "ab" * 400}])
    assert max(read.lengths) == 256
    with pytest.raises(InputError, match="max_seq_length 300 is more than the 256 positions"):
        read([{"text": "x y"}], max_seq_length=300)
