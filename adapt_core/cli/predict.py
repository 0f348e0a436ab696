"""`adapt predict`."""

from __future__ import annotations

import json

import click

from adapt_core.cli import options


@click.command()
@click.argument("run_dir", type=click.Path())
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="TRUST_REMOTE_CODE=true loads a pickled model."
)
@options.json_option
@options.traceback_option
def predict(run_dir: str, inputs: tuple[str, ...], overrides: tuple[str, ...], as_json: bool) -> None:
    """Predict INPUTS (raw texts, or files of them) with the adapted model in RUN_DIR."""
    from adapt_core import predicting

    predictions = predicting.predict(run_dir, inputs, trust=options.trusted(overrides))
    if as_json:
        click.echo(json.dumps(predictions, indent=2, ensure_ascii=False))
        return
    for prediction in predictions:
        click.echo("\t".join(str(value) for value in prediction.values()))
