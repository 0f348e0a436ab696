"""`adapt chat`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Event
from typing import TYPE_CHECKING

import click

from adapt_core.cli import options
from adapt_core.cli.output import say, say_piece
from adapt_core.errors import InputError, first_of

if TYPE_CHECKING:
    from adapt_core.capabilities import Chat, Turn

PROMPT = "> "
COMMANDS = "/reset begins anew, /exit or Ctrl-D ends, Ctrl-C stops an answer."


@click.command()
@click.argument("run_dir", type=click.Path())
@click.option("--system", metavar="TEXT", help="What the conversation begins with, as the system's turn.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="TRUST_REMOTE_CODE=true loads a pickled model."
)
@options.traceback_option
def chat(run_dir: str, system: str | None, overrides: tuple[str, ...]) -> None:
    """Talk with the language model in RUN_DIR, a finished run of text_generation.

    A model that was trained on conversations answers, turn by turn; any other continues the text. Each line is a turn;
    /reset begins anew, /exit or Ctrl-D ends, Ctrl-C stops an answer. From a pipe, a line that cannot be answered is
    told, the others are answered, and the exit code is 2.

    \b
    adapt chat runs/assistant
    adapt chat runs/assistant --system "Answer in one sentence."
    cat questions.txt | adapt chat runs/assistant
    """
    from adapt_core import api

    with options.warnings_shown():
        opened = api.open_chat(run_dir, trust=options.trusted(overrides))
    if system is not None and not opened.is_chat:
        raise InputError("--system: the model was trained on plain text, and continues it. Leave it out.")
    if sys.stdin.isatty():
        say(f"{'It answers' if opened.is_chat else 'It continues your text'}. {COMMANDS}", err=True)
    beginning: list[Turn] = [] if system is None else [{"role": "system", "content": system}]
    turns = list(beginning)
    refused: list[str] = []
    for number, line in enumerate(_lines(), start=1):
        if line == "/exit":
            break
        if line == "/reset":
            turns = list(beginning)
        elif line.strip():
            turns.append({"role": "user", "content": line})
            place = "" if sys.stdin.isatty() else f"line {number}: "
            if not _answer(opened, turns, place):
                refused.append(str(number))
    if refused and not sys.stdin.isatty():
        raise InputError(
            f"{len(refused)} of the lines of standard input got no answer ({first_of(refused, 5)}); each has its "
            "reason above. Shorten them, or leave them out."
        )


def _lines() -> Iterator[str]:
    """Yield what is typed, or the lines of standard input.

    Raises:
        InputError: standard input is not UTF-8.
    """
    if not sys.stdin.isatty():
        for number, line in enumerate(sys.stdin.buffer, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise InputError(f"line {number} of standard input is not UTF-8: convert it first (iconv).") from None
        return
    import readline  # noqa: F401 - gives input() a history and the arrow keys

    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            say()
            return
        except KeyboardInterrupt:
            say()
            say(COMMANDS, err=True)


def _answer(opened: Chat, turns: list[Turn], place: str = "") -> bool:
    """Print an answer as it is written, and keep it; a turn that cannot be answered is taken back.

    Args:
        opened: the model.
        turns: of the conversation, the last of them to be answered.
        place: where that one came from, for the error of a turn that is taken back.

    Returns:
        whether it was answered.
    """
    stop = Event()
    written: list[str] = []
    try:
        for piece in opened.answer(turns, stop.is_set):
            written.append(piece)
            say_piece(piece)
    except KeyboardInterrupt:  # while a piece is printed too
        stop.set()
    except InputError as error:
        turns.pop()
        say(f"error: {place}{error}", err=True)
        if turns:
            say("/reset begins anew.", err=True)
        return False
    say(" [stopped]" if stop.is_set() else "")
    turns.append({"role": "assistant", "content": "".join(written)})
    return True
