"""`adapt check`."""

from __future__ import annotations

import json

import click

from adapt_core.cli import options
from adapt_core.errors import ConfigError
from adapt_core.plan import Plan


@click.command()
@options.config_argument
@options.set_option
@options.strict_option
@options.json_option
@options.traceback_option
@click.pass_obj
def check(disabled: tuple[str, ...], config: str, overrides: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Check the keys of CONFIG, and that its data and model are there, without training."""
    from adapt_core import running

    try:
        plan = running.check(config, overrides=overrides, strict=strict, disable_plugins=disabled)
    except ConfigError as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "problems": [str(problem) for problem in error.problems]}, indent=2))
            raise click.exceptions.Exit(error.exit_code) from None
        raise
    show_plan(plan, as_json)


def show_plan(plan: Plan, as_json: bool) -> None:
    """Prints a plan: every resolved key as JSON, or what differs from the defaults as a table."""
    if as_json:
        click.echo(json.dumps({"ok": True, "config": plan.keys(), "remarks": plan.remarks}, indent=2))
        return
    from adapt_core.cli.tables import table

    choices = [("task", plan.task), ("method", plan.method), ("quantizer", plan.quantizer), ("launcher", plan.launcher)]
    rows = [["", "name", "from"]]
    rows += [[slot, choice.name, f"{choice.distribution} {choice.version}"] for slot, choice in choices if choice]
    click.echo(table(rows))
    click.echo()
    changed = plan.changed_keys()
    if changed:
        click.echo(
            table([["key", "value", "default"], *([key, str(value), str(default)] for key, value, default in changed)])
        )
    for remark in plan.remarks:
        click.echo(f"note: {remark}")
    click.echo("ok: the config can run.")
