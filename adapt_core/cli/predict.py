"""`adapt predict`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.errors import InputError
from adapt_core.runtime.plain_text import in_one_line


@click.command()
@click.argument("run_dir", type=click.Path())
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="TRUST_REMOTE_CODE=true loads a pickled model."
)
@options.verbosity_options
@options.json_option
@options.traceback_option
def predict(run_dir: str, inputs: tuple[str, ...], overrides: tuple[str, ...], as_json: bool) -> None:
    """Predict INPUTS with the adapted model in RUN_DIR: texts, files of texts or rows, images, or folders of images.

    "-" stands for the lines of standard input, each of them an input.

    \b
    adapt predict runs/inbox "Where is my book?"
    adapt predict runs/inbox messages.jsonl --json
    cut -f 3 messages.tsv | adapt predict runs/inbox -
    adapt predict runs/cells photos/ more/1.jpg    annotated images go to runs/cells/predictions
    """
    from adapt_core import api

    every = [line for given in inputs for line in (_standard_input() if given == "-" else [given])]
    # Libraries print to standard output, which is the result's.
    with options.warnings_shown(), contextlib.redirect_stdout(sys.stderr):
        predictions = api.predict(run_dir, every, trust=options.trusted(overrides))
    if as_json:
        say(json.dumps(predictions, indent=2, ensure_ascii=False))
        return
    names = list(dict.fromkeys(name for prediction in predictions for name in prediction))
    say("\t".join(map(in_one_line, names)))
    for prediction in predictions:
        say("\t".join(_in_words(prediction.get(name)) for name in names))


def _standard_input() -> list[str]:
    """Return the lines of standard input, empty ones left out.

    Raises:
        InputError: there is none, or it is not UTF-8.
    """
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"-: standard input is not UTF-8 (byte {error.start}): convert it first (iconv).") from None
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    if not lines:
        raise InputError("-: standard input is empty: give one input a line.")
    return lines


def _in_words(value: Any) -> str:
    """Return a value of a prediction as one cell: `red 0.93, blue 0.05` for a mapping, its items for a list.

    Numbers have four digits behind the point. A control character in a text is escaped, so that rows stay lines.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{round(value, 4)}"
    if isinstance(value, Mapping):
        return ", ".join(f"{in_one_line(str(key))} {_in_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        between = "; " if any(isinstance(item, Mapping) for item in value) else " "
        return between.join(_in_words(item) for item in value)
    return in_one_line(str(value))
