"""`adapt init`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from adapt_core.cli import options
from adapt_core.cli.output import say, write

SCHEMA = ".adapt-schema.json"
"""The name of the schema beside a config; hidden, so that a folder of data has no table more."""


@click.command()
@click.argument("task", required=False, shell_complete=options.task_names)
@click.option(
    "--method",
    metavar="M",
    shell_complete=options.method_names,
    help="full (the default), last_layer, LoRA, ...; see adapt plugins.",
)
@options.set_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to make (default: TASK.yaml); - for standard output.",
)
@options.traceback_option
@click.pass_obj
def init(
    disabled: tuple[str, ...], task: str | None, method: str | None, overrides: tuple[str, ...], output: Path | None
) -> None:
    """Write a starter config for TASK: every key with its default and its meaning.

    \b
    adapt init text_classification
    adapt init text_classification --method LoRA --set EPOCHS=5 -o lora.yaml
    """
    from adapt_core.config.schema import config_schema
    from adapt_core.config.starter import starter_config
    from adapt_core.errors import InputError
    from adapt_core.plugin.registry import Registry
    from adapt_core.run_folder.files import write_text

    registry = Registry.discover(disabled)
    if task is None:
        names = sorted(registry.tasks.names())
        if not names:
            raise InputError("adapt init: no task is installed: pip install adapt-nlp adapt-vision-mm")
        if not sys.stdin.isatty():
            raise InputError(f"give a task: adapt init TASK. Tasks installed: {', '.join(names)}.")
        task = click.prompt("task", type=click.Choice(names, case_sensitive=False), err=True)
    text = starter_config(str(task), method, overrides, registry)
    if str(output) == "-":
        write(text)
        return
    file = output or Path(f"{task}.yaml")
    if file.exists():
        raise InputError(f"{file} exists already and is not overwritten. Give another -o FILE, or delete it.")
    schema = file.absolute().with_name(SCHEMA)
    described = _is_ours(schema)
    try:
        write_text(file.absolute(), f"# yaml-language-server: $schema={SCHEMA}\n{text}" if described else text)
        if described:
            write_text(schema, json.dumps(config_schema(registry)) + "\n")
    except OSError as error:
        raise InputError(f"-o {file} cannot be written: {error.strerror or error}. Give -o another file.") from None
    say(f"written: {file}")
    if described:
        say(f"written: {file.with_name(SCHEMA)}, by which editors complete and check its keys; adapt does not read it")
    say(f"next: fill in what is empty, then adapt check {file}")


def _is_ours(schema: Path) -> bool:
    """Return whether a schema may be written there: nothing is, or an older one of adapt."""
    from adapt_core.config.schema import TITLE

    if not schema.exists() and not schema.is_symlink():
        return True
    try:
        found = json.loads(schema.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("title") == TITLE
