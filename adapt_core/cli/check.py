"""`adapt check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.cli.verdict import show_verdict
from adapt_core.config.plan import Plan
from adapt_core.errors import ConfigError, InputError
from adapt_core.run_folder.files import write_bytes
from adapt_core.runtime.plain_text import in_one_line

if TYPE_CHECKING:
    from adapt_core.estimate.estimate import Estimate
    from adapt_core.estimate.ranks import RankRange

_SHOWN_TOKENS = 48


@click.command()
@options.config_argument
@options.set_option
@options.strict_option
@click.option("--draw", type=click.Path(path_type=Path), metavar="FILE", help="Write pictures as the model sees them.")
@options.verbosity_options
@options.json_option
@options.traceback_option
@click.pass_obj
def check(
    disabled: tuple[str, ...],
    config: str,
    overrides: tuple[str, ...],
    strict: bool,
    draw: Path | None,
    as_json: bool,
) -> None:
    """Check CONFIG before anything expensive: keys, data as the model sees it, steps, parameters, memory, disk.

    \b
    adapt check config.yaml
    adapt check config.yaml --draw seen.png    images with their classes, boxes, masks or points
    adapt run config.yaml --dry-run    the keys alone, in a second
    """
    from adapt_core import api

    try:
        plan = api.check(config, overrides=overrides, strict=strict, disable_plugins=disabled)
    except ConfigError as error:
        if as_json:
            say(json.dumps({"ok": False, "problems": [str(problem) for problem in error.problems]}, indent=2))
            raise click.exceptions.Exit(error.exit_code) from None
        raise
    found = api.estimate(plan, pictures=draw is not None)
    if draw is not None:
        if found.pictures is None:
            raise InputError(
                f"--draw: {plan.task.name} has no pictures of its training examples to show. Leave --draw out."
            )
        try:
            write_bytes(draw.expanduser().absolute(), found.pictures)
        except OSError as error:
            raise InputError(
                f"--draw {draw} cannot be written: {error.strerror or error}. Give --draw another file."
            ) from None
    if as_json:
        known = {"ok": True, "config": plan.keys(), "remarks": plan.remarks, "estimate": found.to_data()}
        if draw is not None:
            known["drawn"] = str(draw)
        say(json.dumps(known, indent=2))
        return
    _tell(plan)
    say()
    _show_estimate(found)
    if draw is not None:
        say(f"drawn: {draw}")
    say("ok: the config can run.")


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print a plan: every resolved key as JSON, or what differs from the defaults as a table."""
    if as_json:
        say(json.dumps({"ok": True, "config": plan.keys(), "remarks": plan.remarks}, indent=2))
        return
    _tell(plan)
    say("ok: the config can run.")


def _tell(plan: Plan) -> None:
    from adapt_core.cli.tables import paragraph, table
    from adapt_core.plugin.registry import Registry
    from adapt_core.report.configuration import settings

    choices = [("task", plan.task), ("method", plan.method), ("quantizer", plan.quantizer), ("launcher", plan.launcher)]
    rows = [["", "name", "from"]]
    rows += [[slot, choice.name, f"{choice.distribution} {choice.version}"] for slot, choice in choices if choice]
    say(table(rows))
    say()
    every = settings(plan, Registry.discover(plan.disabled_plugins))
    changed = [[one.key, one.value, one.default] for one in every if one.changed]
    if changed:
        say(table([["key", "value", "default"], *changed]))
    for remark in plan.remarks:
        say(paragraph(f"note: {remark}"))


def _show_estimate(found: Estimate) -> None:
    from adapt_core.cli.tables import paragraph, table
    from adapt_core.runtime.format import figure, in_rows, size

    rows = [["data", ""], *([name, figure(value)] for name, value in in_rows(found.data))]
    say(table(rows))
    say()
    if found.formats:
        keys = ("format", "distribution", "reason")
        told = [[split, *map(one.__getitem__, keys)] for split, one in found.formats.items()]
        say(table([["split", "format", "of", "recognised by"], *told]))
        say()
    if found.classes:
        every = sum(found.classes.values()) or 1
        counts = sorted(found.classes.items(), key=lambda item: -item[1])
        say(table([["class", "train", "%"], *([n, f"{c:,}", f"{100 * c / every:.1f}"] for n, c in counts)]))
        say()
    for number, example in enumerate(found.examples, start=1):
        say(paragraph(f"as the model sees it, {number}: {in_one_line(_in_line(example))}"))
    show_verdict(found.verdict)
    rows = [["steps", ""], ["an epoch", f"{found.steps_per_epoch:,}"], ["in all", f"{found.steps:,}"]]
    if found.total_parameters is not None:
        rows += [
            ["parameters", f"{found.total_parameters:,}"],
            ["of them train", f"{found.trainable_parameters:,}"],
        ]
    say()
    say(table(rows))
    if found.memory is not None:
        memory = found.memory
        estimate = "not known" if memory.activations is None else f"about {size(memory.activations)} (an estimate)"
        each = f"rank 0 of {found.processes}" if found.processes > 1 else found.device
        rows = [
            ["memory", each],
            ["weights", size(memory.weights)],
            ["gradients", size(memory.gradients)],
            ["optimizer", size(memory.optimizer)],
            *([["exchanged between processes", size(memory.exchanged)]] if memory.exchanged else []),
            ["activations", estimate],
            ["sum", f"{size(memory.total)} of {size(found.device_bytes)}"],
            ["on top, in main memory", f"{size(found.process_bytes)}: the process itself, as measured of this one"],
            *([["a checkpoint's copy there", size(memory.checkpoint)]] if memory.checkpoint else []),
        ]
        say()
        say(table(rows))
    if found.settings is not None:
        say(f"\n{found.settings}")
    for chosen in (found.recomputation, found.batch_size):
        if chosen is not None:
            say(f"\n{chosen}")
    if found.launchers:
        say()
        say(table(_by_launcher(found.launchers)))
    if found.disk_bytes is not None:
        say(f"\ndisk: up to {size(found.disk_bytes)}, of {size(found.disk_free)} free")
    for warning in found.warnings:
        say(paragraph(f"warning: {warning}"))


def _by_launcher(shares: list[RankRange]) -> list[list[str]]:
    from adapt_core.runtime.format import size

    rows = [["launcher", "rank", "weights", "gradients", "optimizer", "exchanged", "sum, with activations"]]
    for share in shares:
        memory = share.memory
        parts = (memory.weights, memory.gradients, memory.optimizer, memory.exchanged, memory.total)
        several = share.first_rank != share.last_rank
        ranks = f"{share.first_rank}-{share.last_rank}" if several else str(share.first_rank)
        rows.append([share.launcher, ranks, *map(size, parts)])
    return rows


def _in_line(example: list[tuple[str, str]]) -> str:
    """Return (token, label) pairs as text: each label in brackets after its token, the example's at the end."""
    words = [f"{token}[{label}]" if label else token for token, label in example if token]
    cut = " ".join(words[:_SHOWN_TOKENS]) + (f" ... ({len(words)} tokens)" if len(words) > _SHOWN_TOKENS else "")
    whole = [label for token, label in example if label and not token]
    return f"{cut} -> {', '.join(whole)}" if whole else cut
