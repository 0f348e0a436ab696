"""`adapt run`."""

from __future__ import annotations

import contextlib
import sys

import click

from adapt_core.cli import options
from adapt_core.cli.output import say, write


@click.command()
@options.config_argument
@options.set_option
@click.option("--resume", is_flag=True, help="Continue from the newest complete checkpoint in OUTPUT_DIR.")
@click.option("--budget", metavar="TIME", help="Train the steps that fit into this time (20m, 1h 30m, 90s): BUDGET.")
@click.option("--dry-run", is_flag=True, help="Resolve and check the config, print it, and stop.")
@click.option(
    "--emit",
    type=click.Choice(["slurm", "kubernetes", "skypilot", "torchrun"]),
    help="Check the config, print a launch file of this kind, and stop.",
)
@options.strict_option
@options.verbosity_options
@options.json_option
@options.traceback_option
@click.pass_obj
def run(  # noqa: PLR0913 - click passes each option as a parameter
    disabled: tuple[str, ...],
    config: str,
    overrides: tuple[str, ...],
    resume: bool,
    budget: str | None,
    dry_run: bool,
    emit: str | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Adapt a pretrained model as CONFIG says; see `adapt params` for its keys.

    \b
    adapt run config.yaml
    adapt run config.yaml --set EPOCHS=1 --set method=LoRA
    adapt run config.yaml --resume                continue from the newest complete checkpoint
    adapt run config.yaml --budget 20m            the steps that fit into 20 minutes
    adapt run config.yaml --json > result.json    what result.json in the run folder holds
    """
    from adapt_core import api
    from adapt_core.distributed import torchrun

    overrides = (*overrides, *([f"BUDGET={budget}"] if budget else []))
    if emit:
        from adapt_core.execution.launch_files import launch_file

        write(launch_file(emit, config, overrides, strict=strict, disable_plugins=disabled))
        return
    if dry_run:
        from adapt_core.cli.check import show_plan

        show_plan(api.check(config, overrides=overrides, strict=strict, disable_plugins=disabled), as_json)
        return
    with contextlib.redirect_stdout(sys.stderr):  # libraries print there, and standard output is the result's
        result = api.run(config, overrides=overrides, resume=resume, strict=strict, disable_plugins=disabled)
    place = torchrun.place()
    if place is not None and place.rank > 0:
        return  # Rank 0's command prints the one result.
    if as_json:
        write(result.to_json())
        return
    from adapt_core.cli.tables import metrics_table, paragraph, table
    from adapt_core.report.decisions import decision_lines
    from adapt_core.report.further import HEADING, further_section
    from adapt_core.runtime.plain_text import in_one_line

    for warning in result.warnings:
        say(f"warning: {warning}")
    say(metrics_table(result))
    if result.also:
        say()
        say(table([HEADING, *(row.cells for row in further_section(result))]))
    for line in decision_lines(result.decisions):
        say(paragraph(in_one_line(line)))
    say(f"{result.status}: {result.output_dir}")
    if {"model", "adapter"} & result.artifacts.keys():
        say(f"use it: adapt predict {result.output_dir} INPUT..., or without adapt by the lines in README.md there")
