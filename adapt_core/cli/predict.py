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

    \b
    adapt predict runs/inbox "Where is my book?"
    adapt predict runs/inbox messages.jsonl --json
    adapt predict runs/cells photos/ more/1.jpg    annotated images go to runs/cells/predictions
    """
    from adapt_core import api

    with contextlib.redirect_stdout(sys.stderr):  # libraries print there, and standard output is the result's
        predictions = api.predict(run_dir, inputs, trust=options.trusted(overrides))
    if as_json:
        say(json.dumps(predictions, indent=2, ensure_ascii=False))
        return
    for prediction in predictions:
        say("\t".join(_in_words(value) for value in prediction.values()))


def _in_words(value: Any) -> str:
    """Return a value of a prediction as one line of text: `red 0.93, blue 0.05` for a mapping, its items for a list."""
    if isinstance(value, Mapping):
        return ", ".join(f"{in_one_line(str(key))} {_in_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        between = "; " if any(isinstance(item, Mapping) for item in value) else " "
        return between.join(_in_words(item) for item in value)
    return in_one_line(str(value))
