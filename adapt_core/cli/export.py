"""`adapt export`."""

from __future__ import annotations

import json

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.config.core_params.run import SAVE_METHODS


@click.command()
@click.argument("run_dir", type=click.Path())
@click.option(
    "--save-method",
    required=True,
    type=click.Choice(SAVE_METHODS),
    metavar="M",
    help="full_torch_model, state_dict, safetensors or save_pretrained.",
)
@click.option("-o", "--output", required=True, type=click.Path(), metavar="DIR", help="The folder to make.")
@click.option("--merge-dtype", metavar="T", help="Merge the adapter anew, as with this MERGE_DTYPE: auto or float32.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="TRUST_REMOTE_CODE=true loads a pickled model."
)
@options.verbosity_options
@options.json_option
@options.traceback_option
def export(
    run_dir: str, save_method: str, output: str, merge_dtype: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Write the adapted model of RUN_DIR in another form.

    \b
    adapt export runs/inbox --save-method save_pretrained -o inbox-model
    """
    from adapt_core.execution.export import export_finished

    trust = options.trusted(overrides)
    with options.warnings_shown():
        exported = export_finished(run_dir, save_method, output, trust=trust, merge_dtype=merge_dtype)
    folder, outcome = exported.folder, exported.merge
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    if as_json:
        content = {"folder": str(folder), "save_method": save_method, "files": files, "merge": outcome}
        say(json.dumps(content, indent=2))
        return
    say(f"exported: {folder}")
    if outcome is not None:
        difference = f"{outcome['relative_difference']:.2g} of the largest (at most {outcome['tolerance']:g})"
        say(f"merged: outputs differ by {difference}, on {outcome['inputs']} inputs")
        if outcome.get("kept") is not None:
            say(f"merged: {outcome['kept']:.3g} of what the adapter changed is kept")
    elif exported.merged:
        say("merged: not checked, there is no batch to compare outputs on")
