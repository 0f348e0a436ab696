"""What a command prints. Every module of the CLI prints through it."""

from __future__ import annotations

import sys

import click

from adapt_core.runtime.plain_text import visible


def say(text: str = "", *, err: bool = False) -> None:
    """Print lines for people, or JSON: control characters in them are shown, not obeyed."""
    click.echo(visible(text), err=err)


def say_piece(text: str) -> None:
    """Show a piece of a line at once, as `say` does."""
    click.echo(visible(text), nl=False)
    sys.stdout.flush()


def write(text: str) -> None:
    """Print a file's text as it is."""
    click.echo(text, nl=False)
