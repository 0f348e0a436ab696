"""`adapt export`."""

from __future__ import annotations

import click

from adapt_core.cli import options


@click.command()
@click.argument("run_dir", type=click.Path())
@click.option(
    "--save-method", required=True, metavar="M", help="full_torch_model, state_dict, safetensors or save_pretrained."
)
@click.option("-o", "--output", required=True, type=click.Path(), metavar="DIR", help="The folder to make.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="TRUST_REMOTE_CODE=true loads a pickled model."
)
@options.traceback_option
def export(run_dir: str, save_method: str, output: str, overrides: tuple[str, ...]) -> None:
    """Write the adapted model of RUN_DIR in another form."""
    from adapt_core import running

    folder = running.export(run_dir, save_method, output, trust=options.trusted(overrides))
    click.echo(f"exported: {folder}")
