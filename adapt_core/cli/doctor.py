"""`adapt doctor`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import click

from adapt_core.cli import options
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.versions import installed_version, versions

_PARTS = (
    ("transformers", "the Hugging Face loop", "pip install 'adapt-core[hf]'"),
    ("adapt-nlp", "language tasks", "pip install adapt-nlp"),
    ("adapt-vision-mm", "vision tasks", "pip install adapt-vision-mm"),
    ("adapt-peft-ssf", "LoRA, DoRA, SSF, 4 and 8 bit", "pip install adapt-peft-ssf"),
    ("adapt-fsdp", "DDP and FSDP", "pip install adapt-fsdp"),
    ("bitsandbytes", "8-bit and paged optimizers", "pip install bitsandbytes"),
    ("tensorboard", "TRACKERS: [tensorboard]", "pip install 'adapt-core[tensorboard]'"),
    ("flash-attn", "flash_attention2, on a GPU", "pip install flash-attn"),
)


@click.command()
@options.json_option
@options.traceback_option
@click.pass_obj
def doctor(disabled: tuple[str, ...], as_json: bool) -> None:
    """Show versions, devices, and optional parts with the command that adds each missing one.

    \b
    adapt doctor
    adapt doctor --json
    """
    report = diagnose(disabled)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    from adapt_core.cli.tables import table

    click.echo(table([["part", "version"], *([name, number] for name, number in report["versions"].items())]))
    click.echo()
    for device in report["devices"]:
        click.echo(f"device: {device}")
    for part in report["parts"]:
        here = f"present, {part['note']}" if part.get("note") else "present"
        state = here if part["present"] else f"missing: {part['add']}"
        click.echo(f"{part['name']} ({part['for']}): {state}")
    for broken in report["broken"]:
        click.echo(f"broken plugin: {broken}")


def diagnose(disabled: Iterable[str] = ()) -> dict[str, Any]:
    """Versions, devices, optional parts and broken plugins, as plain data. Imports torch to look at the devices."""
    registry = Registry.discover(disabled)
    parts, broken = _parts_of_plugins(registry)
    return {
        "versions": versions(registry),
        "devices": _devices(),
        "parts": [
            *(
                {"name": name, "for": purpose, "present": installed_version(name) is not None, "add": command}
                for name, purpose, command in _PARTS
            ),
            *parts,
        ],
        "broken": [*(f"{b.provenance}: {b.cause}" for b in registry.broken), *broken],
    }


def _parts_of_plugins(registry: Registry) -> tuple[list[dict[str, Any]], list[str]]:
    """What the plugins tell of their optional parts, and which of them failed to."""
    parts: list[dict[str, Any]] = []
    broken = []
    hook: Any = registry.manager.hook.adapt_optional_dependencies
    for implementation in hook.get_hookimpls():
        try:
            parts += [
                {"name": p.name, "for": p.purpose, "present": p.present, "add": p.add, "note": p.note}
                for p in implementation.function()
            ]
        except Exception as error:  # noqa: BLE001 - any plugin code may raise anything; the cause is told
            broken.append(
                f"{registry.provenance[implementation.plugin_name]}: adapt_optional_dependencies() raised {error}"
            )
    return parts, broken


def _devices() -> list[str]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [f"cpu: {cores} cores, {torch.get_num_threads()} threads"]
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        found.append(f"cuda:{number}: {properties.name}, {properties.total_memory / 2**30:.1f} GiB")
    if not torch.cuda.is_available():
        found.append("no GPU is to be seen here")
    return found
