"""`adapt export`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.config.core_params.run import SAVE_METHODS
from adapt_core.errors import InputError
from adapt_core.result import without_nan

if TYPE_CHECKING:
    from adapt_core.execution.export import Exported


@click.command()
@click.argument("run_dir", type=click.Path())
@click.option(
    "--save-method",
    type=click.Choice(SAVE_METHODS),
    metavar="M",
    help="full_torch_model, state_dict, safetensors or save_pretrained.",
)
@click.option("--to", "exporter", metavar="NAME", help="An exporter in adapt plugins; the export is asked there.")
@click.option("-o", "--output", required=True, type=click.Path(), metavar="DIR", help="The folder to make.")
@click.option("--merge-dtype", metavar="T", help="Merge the adapter anew, as with this MERGE_DTYPE: auto or float32.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="TRUST_REMOTE_CODE=true loads a pickled model; the keys of an exporter.",
)
@options.verbosity_options
@options.json_option
@options.traceback_option
def export(
    run_dir: str,
    output: str,
    merge_dtype: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    **form: str | None,
) -> None:
    """Write the adapted model of RUN_DIR in another form.

    \b
    adapt export runs/inbox --save-method save_pretrained -o inbox-model
    adapt export runs/inbox --to onnx -o inbox-onnx
    """
    from adapt_core.execution.export import export_finished, export_to

    save_method, exporter = form["save_method"], form["exporter"]
    if (save_method is None) == (exporter is None):
        raise InputError(
            f"adapt export takes either --to NAME, an exporter in adapt plugins, or --save-method M: "
            f"{', '.join(SAVE_METHODS)}."
        )
    with options.warnings_shown():
        if exporter is not None:
            exported = export_to(run_dir, exporter, output, settings=overrides, merge_dtype=merge_dtype)
        else:
            trust = options.trusted(overrides)
            exported = export_finished(run_dir, str(save_method), output, trust=trust, merge_dtype=merge_dtype)
    say_exported(exported, save_method, exporter, as_json=as_json)


def say_exported(exported: Exported, save_method: str | None, exporter: str | None, *, as_json: bool) -> None:
    """Print what was written: as JSON, or a few lines."""
    folder, outcome, record = exported.folder, exported.merge, exported.record
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    if as_json:
        content: dict[str, Any] = {"folder": str(folder), "save_method": save_method, "files": files, "merge": outcome}
        if record is not None:
            content |= {"to": exporter, "export": {**record, "folder": str(folder)}}
        say(json.dumps(without_nan(content), indent=2))
        return
    say(f"exported: {folder}")
    if outcome is not None:
        difference = f"{outcome['relative_difference']:.2g} of the largest (at most {outcome['tolerance']:g})"
        say(f"merged: outputs differ by {difference}, on {outcome['inputs']} inputs")
        if outcome.get("kept") is not None:
            say(f"merged: {outcome['kept']:.3g} of what the adapter changed is kept")
    elif exported.merged:
        say("merged: not checked, there is no batch to compare outputs on")
    if record is not None:
        from adapt_core.execution.exports import in_words

        for check in record["checks"]:
            say(in_words(check))
