"""`adapt completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from adapt_core.cli import COMPLETE, cli, options
from adapt_core.cli.output import say


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.traceback_option
def completion(shell: str) -> None:
    """Print the completion script of SHELL: commands, options, files, tasks and methods.

    \b
    adapt completion bash >> ~/.bashrc
    adapt completion zsh >> ~/.zshrc
    adapt completion fish > ~/.config/fish/completions/adapt.fish
    """
    known = get_completion_class(shell)
    assert known is not None
    say(known(cli, {}, "adapt", COMPLETE).source())
