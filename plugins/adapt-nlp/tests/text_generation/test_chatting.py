"""`adapt chat`: a finished run of text_generation on the terminal, and through a pipe."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.api import open_chat, predict
from adapt_core.errors import InputError

from ..chat_models import NO_END, byte_level, llama
from .test_chat_runs import PAIRS, trained

Adapt = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that answers the words of `PAIRS`."""
    rows = [{"question": question, "answer": answer} for question, answer in PAIRS.items()]
    keys = {"input_column": "question", "target_column": "answer"}
    return Path(trained(tmp_path_factory.mktemp("assistant"), rows, NO_END, **keys).output_dir)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that continues text; what it writes has the escape that clears a terminal."""
    rows = [{"prompt": f"{text}: ", "completion": f"{answer}\x1b[2J"} for text, answer in PAIRS.items()]
    return Path(trained(tmp_path_factory.mktemp("writer"), rows, None).output_dir)


def test_lines_of_a_pipe_are_answered_in_turn(assistant: Path, forked_adapt: Adapt) -> None:
    said = "dog\n/reset\nfilm\n\n/reset\nhello\n/exit\nplot\n"
    done = forked_adapt("chat", str(assistant), input=said)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [PAIRS["dog"], PAIRS["film"], PAIRS["hello"]]


def test_an_answer_comes_in_pieces_and_is_that_of_predict(assistant: Path) -> None:
    chat = open_chat(assistant)
    assert chat.is_chat
    pieces = list(chat.answer([{"role": "user", "content": "hello"}], lambda: False))
    assert len(pieces) > 1
    assert "".join(pieces) == predict(assistant, ["hello"])[0]["generated_text"] == "good morning"


def test_the_turns_before_are_part_of_what_is_answered(assistant: Path) -> None:
    """The model's input after two turns is the template's text of all three."""
    chat: Any = open_chat(assistant)
    seen: list[list[int]] = []
    generate = chat.model.generate

    def watched(**given: Any) -> Any:
        seen.append(given["input_ids"][0].tolist())
        return generate(**given)

    chat.model.generate = watched
    turns = [{"role": "user", "content": "dog"}, {"role": "assistant", "content": "cat"}]
    list(chat.answer([*turns, {"role": "user", "content": "film"}], lambda: False))
    [text] = chat.tokenizer.batch_decode(seen, skip_special_tokens=True)
    assert text == "User: dog\nAssistant: cat\nUser: film\nAssistant: "


def test_a_stopped_answer_ends_at_that_token(writer: Path) -> None:
    chat = open_chat(writer)
    assert not chat.is_chat
    asked = iter([False, False, True])
    short = "".join(chat.answer([{"role": "user", "content": "dog: "}], lambda: next(asked, True)))
    whole = "".join(chat.answer([{"role": "user", "content": "dog: "}], lambda: False))
    assert whole.startswith(short)
    assert len(short) < len(whole)


def test_what_a_model_writes_does_not_act_on_the_terminal(writer: Path, forked_adapt: Adapt) -> None:
    assert "\x1b[2J" in predict(writer, ["dog: "])[0]["generated_text"]
    done = forked_adapt("chat", str(writer), input="dog: \n")
    assert done.stdout == "cat\\u001b[2J\n"


def test_a_turn_that_leaves_no_room_is_taken_back(assistant: Path, forked_adapt: Adapt) -> None:
    done = forked_adapt("chat", str(assistant), input=f"\n{'dog ' * 5000}\ndog\n")
    assert done.returncode == 2  # a script sees that an answer is missing
    assert "error: line 2: the conversation has" in done.stderr
    assert "1 of the lines of standard input got no answer (2)" in done.stderr
    assert done.stdout.splitlines() == [PAIRS["dog"]]


def test_a_system_turn_and_other_tasks_are_refused_where_they_mean_nothing(
    writer: Path, forked_adapt: Adapt, run: Callable[..., Any]
) -> None:
    done = forked_adapt("chat", str(writer), "--system", "Be brief.", input="dog\n")
    assert done.returncode == 2
    assert "trained on plain text" in done.stderr
    classifier = run(MAX_STEPS=1, DO_EVAL=False)
    with pytest.raises(InputError, match="text_classification, whose models cannot be talked with"):
        open_chat(classifier.output_dir)


def test_on_a_terminal_ctrl_c_stops_an_answer_and_ctrl_d_ends(tmp_path: Path) -> None:
    model = llama(tmp_path / "model", byte_level(adds="<s> $A"))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 200_000}))
    (tmp_path / "data.jsonl").write_text('{"text": "dog cat"}\n' * 8, encoding="utf-8")
    keys = {"TASK": "text_generation", "MODEL_PATH": str(model), "CUSTOM_DATASET_PATH": str(tmp_path / "data.jsonl")}
    short = {"MAX_STEPS": 1, "DO_EVAL": False, "NUM_WORKERS": 0, "BATCH_SIZE": 2, "INTERVAL": "no"}
    long = {"max_new_tokens": 100_000, "max_seq_length": 16}
    adapt_core.run({**keys, **short, **long, "OUTPUT_DIR": str(tmp_path / "run")})
    ours, theirs = pty.openpty()
    chat = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, "chat", str(tmp_path / "run")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    screen = Screen(ours)
    screen.wait_for("> ")
    os.write(ours, b"dog\r")
    screen.wait_for("dog\r\n", more=200)
    chat.send_signal(signal.SIGINT)
    screen.wait_for("[stopped]")
    screen.wait_for("> ")
    os.write(ours, b"\x04")
    assert chat.wait(timeout=120) == 0


ENDLESS = """
import signal

from transformers import GenerationMixin

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts in the background
generate = GenerationMixin.generate
GenerationMixin.generate = lambda self, **options: generate(self, min_new_tokens=90_000, **options)

from adapt_core.cli import main; main()
"""
"""`adapt` with a model that does not end an answer by itself."""


class Screen:
    """What a program wrote on a terminal so far."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._text = ""

    def wait_for(self, expected: str, more: int = 0) -> None:
        """Wait until a text is there, and so many characters behind it; forget what is before it."""
        until = time.monotonic() + 240
        while expected not in self._text or len(self._text.partition(expected)[2]) < more:
            assert time.monotonic() < until, self._text
            if select.select([self._terminal], [], [], 1)[0]:
                self._text += os.read(self._terminal, 65536).decode("utf-8", "replace")
        self._text = self._text.partition(expected)[2]
