"""The `adapt` command. Each subcommand's module is imported when it is called, and none of them imports torch.

run.py         adapt run
check.py       adapt check
init.py        adapt init
predict.py     adapt predict
chat.py        adapt chat
export.py      adapt export
board.py       adapt board
compare.py     adapt compare
plugins.py     adapt plugins
params.py      adapt params
completion.py  adapt completion
doctor.py      adapt doctor
options.py     options that several commands share
verdict.py     the verdict on the data, as adapt check prints it
output.py      what a command prints
tables.py      plain text tables
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

import click

from adapt_core import __version__
from adapt_core.cli.output import say
from adapt_core.errors import EXIT_DEFECT, EXIT_INPUT, EXIT_INTERRUPTED, AdaptError, DefectError, InterruptedRunError
from adapt_core.runtime.plain_text import ESCAPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapt_core.plugin.command_spec import CommandSpec
    from adapt_core.plugin.registry import Registered

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("adapt_core.cli.run:run", "Adapt a pretrained model as a config says."),
    "check": ("adapt_core.cli.check:check", "Check a config without training."),
    "init": ("adapt_core.cli.init:init", "Write a commented starter config."),
    "predict": ("adapt_core.cli.predict:predict", "Predict with a finished run's model."),
    "chat": ("adapt_core.cli.chat:chat", "Talk with a finished run's language model."),
    "export": ("adapt_core.cli.export:export", "Write a finished run's model in another form."),
    "board": ("adapt_core.cli.board:board", "Serve a page over a folder of runs to this machine."),
    "compare": ("adapt_core.cli.compare:compare", "Put finished runs side by side."),
    "plugins": ("adapt_core.cli.plugins:plugins", "List what is registered, by whom, and what is broken."),
    "params": ("adapt_core.cli.params:params", "List parameters with their types, defaults and meaning."),
    "completion": ("adapt_core.cli.completion:completion", "Print the completion script of a shell."),
    "doctor": ("adapt_core.cli.doctor:doctor", "Show versions, devices and optional dependencies."),
}
"""Command -> (import string, one line for `adapt --help`)."""

OTHER_COMMANDS = {
    **dict.fromkeys(("train", "fit", "finetune", "fine-tune", "start", "resume"), "run CONFIG"),
    **dict.fromkeys(("validate", "dry-run", "plan", "estimate"), "check CONFIG"),
    **dict.fromkeys(("new", "config", "template"), "init TASK"),
    **dict.fromkeys(("infer", "inference", "generate", "classify", "test", "eval", "evaluate"), "predict RUN INPUT"),
    **dict.fromkeys(("merge", "save", "convert"), "export RUN --save-method M -o DIR"),
    **dict.fromkeys(("talk", "interact", "repl"), "chat RUN"),
    **dict.fromkeys(("ui", "dashboard", "serve", "watch"), "board FOLDER"),
    **dict.fromkeys(("list", "tasks", "methods", "models"), "plugins"),
    **dict.fromkeys(("keys", "parameters", "options"), "params"),
    **dict.fromkeys(("version", "env", "info"), "doctor"),
}
"""Another tool's command -> what does it here."""

OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})
"""Errors of an output that cannot be written: a full disk, an exhausted quota, a broken device, a closed file."""

COMPLETE = "_ADAPT_COMPLETE"
"""The variable through which a shell asks for completions."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports each when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *(item.spec.name for item in _further(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return _further_command(cmd_name, ctx)
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; say what it is called here where it is another tool's name."""
        here = OTHER_COMMANDS.get(args[0].casefold())
        if args[0] not in COMMANDS and here and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command {args[0]!r}. Here it is: adapt {here}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])
        if further := [(item.spec.name, item.spec.summary) for item in _further(ctx)]:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(further)


def _further(ctx: click.Context) -> list[Registered[CommandSpec]]:
    """Return the commands of plugins; those of core are found without asking any."""
    from adapt_core.plugin.registry import Registry

    return list(Registry.discover(_switched_off(ctx.params.get("plugin_switches") or ())).commands)


def _further_command(name: str, ctx: click.Context) -> click.Command | None:
    """Return a plugin's command; None where there is none.

    Raises:
        DefectError: it cannot be imported, or is no command.
    """
    from adapt_core.config.known_keys import COMMANDS as KNOWN

    found = next((item for item in _further(ctx) if item.spec.name == name), None)
    if found is None:
        if name in KNOWN:
            ctx.fail(f"{name!r} is in {KNOWN[name]}, which is not installed here: pip install {KNOWN[name]}")
        return None
    try:
        command = found.spec.load()
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise DefectError(f"adapt {name} of {found.provenance} cannot be imported ({cause}).") from error
    if not isinstance(command, click.Command):
        raise DefectError(f"adapt {name} of {found.provenance}: {found.spec.implementation} is no click.Command.")
    return command


def _switched_off(switches: Sequence[str]) -> tuple[str, ...]:
    for switch in switches:
        if not switch.startswith("no:") or switch == "no:":
            raise click.BadParameter(f"takes no:NAME, not {switch!r}.", param_hint="-p")
    return tuple(switch.removeprefix("no:") for switch in switches)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="adapt")
@click.option("-p", "plugin_switches", multiple=True, metavar="no:NAME", help="Switch a plugin off. May be repeated.")
@click.pass_context
def cli(ctx: click.Context, plugin_switches: tuple[str, ...]) -> None:
    """Adapt a pretrained model to your data.

    \b
    adapt init text_classification -o inbox.yaml    a commented config to fill in
    adapt check inbox.yaml                          data, steps and memory before training
    adapt run inbox.yaml                            train
    adapt predict runs/inbox "Where is my book?"    use the result
    """
    ctx.obj = _switched_off(plugin_switches)


def _open_standard_streams() -> None:
    """Give closed standard streams the null device; else a file of ours gets their number, and libraries' prints."""
    for number, mode, name in ((0, "r", "stdin"), (1, "w", "stdout"), (2, "w", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest free number, which is this one.
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)  # A terminal's encoding may lack the characters of a text.


def _discard_output() -> None:
    """Send standard output to the null device: Python would complain of what it cannot flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    with suppress(OSError):
        say(text, err=True)


def main() -> None:
    """Run the command and exit: 0 done, 2 the user's input is at fault, 1 a defect, 130 interrupted."""
    if wanted := os.environ.get(COMPLETE):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "adapt", COMPLETE, wanted))
    # Processes that a library starts from here import nothing from the working directory in place of what is installed.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    _open_standard_streams()
    code: object = 0
    try:
        with cli.make_context("adapt", sys.argv[1:]) as ctx:
            code = cli.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except click.exceptions.Abort:
        _complain("interrupted.")
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InterruptedRunError as error:
        _complain(f"interrupted: {error}")
        sys.exit(error.exit_code)
    except AdaptError as error:
        if "--traceback" in sys.argv:
            raise
        _complain(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _complain("interrupted.")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output left; what was to be done is done.
        _discard_output()
        sys.exit(0)
    except SystemExit as leave:
        if "--traceback" in sys.argv:
            raise
        _complain(f"defect: a plugin or a library ended the process (exit code {leave.code}).")
        _complain("Run the same command with --traceback to see which, or without it: adapt -p no:NAME.")
        sys.exit(EXIT_DEFECT)
    except Exception as error:
        if "--traceback" in sys.argv:
            raise
        if isinstance(error, OSError) and error.errno in OUTPUT_ERRORS:
            # The result of the command is where it was written; only what is printed, or an output file, is incomplete.
            _complain(f"error: {error.filename or 'standard output'} cannot be written: {error.strerror}.")
            _discard_output()
            sys.exit(EXIT_INPUT)
        from adapt_core.runtime.environment_errors import machine_error

        if (told := machine_error(error)) is not None:
            _complain(f"error: {told}")
            sys.exit(told.exit_code)
        _complain(f"defect: {type(error).__name__}: {str(error).strip() or 'no message'}")
        _complain(
            "This is not a fault of your input. Please report it with the output of the same command and --traceback."
        )
        sys.exit(EXIT_DEFECT)
    sys.exit(code if isinstance(code, int) else 0)
