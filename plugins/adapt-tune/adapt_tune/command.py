"""`adapt tune`."""

from __future__ import annotations

import contextlib
import json
import sys
import time

import click

from adapt_core.cli import options
from adapt_core.cli.output import say, write
from adapt_core.plugin.registry import Registry


@click.command()
@options.config_argument
@click.option("--budget", metavar="TIME", help="The time for everything (20m, 1h 30m, 90s); default: BUDGET.")
@options.set_option
@click.option("--resume", is_flag=True, help="Go on with the search in OUTPUT_DIR.")
@options.strict_option
@options.verbosity_options
@options.json_option
@options.traceback_option
@click.pass_obj
def tune(  # noqa: PLR0913 - click passes each option as a parameter
    disabled: tuple[str, ...],
    config: str,
    budget: str | None,
    overrides: tuple[str, ...],
    resume: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Search the settings of CONFIG within a time, and train with the best: by successive halving.

    TUNE in the config says what is searched; without it learning rate, epochs, batch size and rank are, and the method
    where the config names none. Each trial is a run in OUTPUT_DIR; final/ has the last and longest.

    \b
    adapt tune config.yaml --budget 20m
    adapt tune config.yaml --budget 20m --resume                 go on after an interruption
    adapt tune config.yaml --budget 1h --set 'TUNE={LR: {range: [1e-5, 1e-3], log: true}}'
    """
    import psutil

    from adapt_core.config.resolver import RunConfig

    from adapt_tune.reading import read_search
    from adapt_tune.report import rows_of, to_data, write_report

    started = time.monotonic() - (time.time() - psutil.Process().create_time())  # imports count, too
    registry = Registry.discover(disabled)
    read = RunConfig.read(config, overrides)
    with contextlib.redirect_stdout(sys.stderr):  # libraries print there, and standard output is the result's
        search = read_search(read, registry, budget, strict=strict, say=lambda line: say(line, err=True), since=started)
        trials, best = search.execute(resume=resume)
        runs = list(trials.runs())
        data = to_data(runs, best, search.seconds, trials.spent)
        write_report(search.folder, data, runs, best, registry)
    if as_json:
        write(json.dumps(data, indent=2) + "\n")
        return
    from adapt_core.cli.tables import table

    say(table(rows_of(runs, best)))
    say(f"best: {search.folder / best.folder} ({best.metric} {best.value:.4g}), in {time.monotonic() - started:.0f} s")
    say(f"use it: adapt predict {search.folder / best.folder} INPUT...")
