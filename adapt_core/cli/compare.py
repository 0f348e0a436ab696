"""`adapt compare`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.runtime.plain_text import in_one_line

if TYPE_CHECKING:
    from rich.text import Text

    from adapt_core.report.comparison import Comparison


@click.command()
@click.argument("run_dirs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write one HTML page too.")
@options.json_option
@options.traceback_option
@click.pass_obj
def compare(disabled: tuple[str, ...], run_dirs: tuple[Path, ...], output: Path | None, as_json: bool) -> None:
    """Put finished runs side by side: metrics, speed, memory, and what differs between their configs.

    \b
    adapt compare runs/lora runs/full
    adapt compare runs/* -o comparison.html
    """
    from adapt_core.errors import InputError
    from adapt_core.plugin.registry import Registry
    from adapt_core.report import comparison
    from adapt_core.run_folder.files import write_text

    registry = Registry.discover(disabled)

    compared = comparison.compare(run_dirs, registry.tasks.spec_of, registry.metrics.spec_of)
    if output is not None:
        try:
            write_text(output.expanduser().absolute(), compared.page())
        except OSError as error:
            raise InputError(
                f"-o {output} cannot be written: {error.strerror or error}. Give -o another file."
            ) from None
    if as_json:
        say(json.dumps(compared.to_data(), indent=2))
        return
    _show(compared)
    if output is not None:
        say(f"page: {output}")


def _show(compared: Comparison) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # A pipe has no width: there the table is as wide as it needs to be.
    console = Console(width=None if sys.stdout.isatty() else 100_000)
    for title, rows in (
        ("", compared.figures),
        (f"against {compared.runs[0].name}", compared.tests),
        ("key", compared.settings),
    ):
        if not rows:
            continue
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column(_cell(title))
        for run in compared.runs:
            table.add_column(_cell(run.name))
        for row in rows:
            best = row.best or (False,) * len(row.cells)
            table.add_row(_cell(row.name), *(_cell(cell, won=won) for cell, won in zip(row.cells, best, strict=True)))
        console.print(table)
    if not compared.settings and len(compared.runs) > 1:
        console.print("the runs have the same config.")


def _cell(text: str, *, won: bool = False) -> Text:
    """Return a cell. A string instead of a Text would be read as rich's markup: the run "lora[r=8]" lost its end."""
    from rich.text import Text

    return Text(in_one_line(text), style="bold green" if won else "")
