"""What a chat on the terminal does with Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from adapt_core.capabilities import Turn
from adapt_core.cli import chat


class Endless:
    """A model that writes until it is stopped."""

    is_chat = True

    def __init__(self) -> None:
        self.left = False

    def answer(self, turns: Sequence[Turn], stopped: Callable[[], bool]) -> Iterator[str]:
        """Yield one word again and again."""
        try:
            while not stopped():
                yield "word "
        finally:
            self.left = True


def test_ctrl_c_while_a_piece_is_printed_stops_the_answer_and_keeps_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed: list[str] = []

    def say_piece(piece: str) -> None:
        printed.append(piece)
        if len(printed) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(chat, "say_piece", say_piece)
    model, turns = Endless(), [{"role": "user", "content": "hello"}]
    chat._answer(model, turns)
    assert turns[1:] == [{"role": "assistant", "content": "word word word "}]
    assert capsys.readouterr().out == " [stopped]\n"
    assert model.left
