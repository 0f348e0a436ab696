"""`adapt doctor`."""

from __future__ import annotations

import json

import click

from adapt_core.cli import options


@click.command()
@options.json_option
@options.traceback_option
@click.pass_obj
def doctor(disabled: tuple[str, ...], as_json: bool) -> None:
    """Show versions, devices, and optional parts with the command that adds each missing one.

    \b
    adapt doctor
    adapt doctor --json
    """
    from adapt_core.diagnosis import diagnose

    report = diagnose(disabled)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    from adapt_core.cli.tables import table

    click.echo(table([["part", "version"], *([name, number] for name, number in report["versions"].items())]))
    click.echo()
    for device in report["devices"]:
        click.echo(f"device: {device}")
    for part in report["parts"]:
        here = f"present, {part['note']}" if part.get("note") else "present"
        state = here if part["present"] else f"missing: {part['add']}"
        click.echo(f"{part['name']} ({part['for']}): {state}")
    for broken in report["broken"]:
        click.echo(f"broken plugin: {broken}")
