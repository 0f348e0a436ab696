"""`adapt doctor`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.config.known_keys import DISTRIBUTIONS
from adapt_core.plugin.registry import CORE, Registry
from adapt_core.plugin.specs import OptionalDependency
from adapt_core.plugin.versions import installed_version, versions


@click.command()
@options.json_option
@options.traceback_option
@click.pass_obj
def doctor(disabled: tuple[str, ...], as_json: bool) -> None:
    """Show versions, devices, and optional dependencies with the command that installs each missing one.

    \b
    adapt doctor
    adapt doctor --json
    """
    report = diagnose(disabled)
    if as_json:
        say(json.dumps(report, indent=2))
        return
    from adapt_core.cli.tables import table

    say(table([["distribution", "version"], *([name, number] for name, number in report["versions"].items())]))
    say()
    for device in report["devices"]:
        say(f"device: {device}")
    for dependency in report["parts"]:
        note = f", {dependency['note']}" if dependency["note"] else ""
        state = f"present{note}" if dependency["present"] else f"missing: {dependency['add']}"
        say(f"{dependency['name']} ({dependency['for']}): {state}")
    for broken in report["broken"]:
        say(f"broken plugin: {broken}")


def diagnose(disabled: Iterable[str] = ()) -> dict[str, Any]:
    """Return versions, devices, optional dependencies and broken plugins as plain data.

    Imports torch only where there may be a GPU.
    """
    registry = Registry.discover(disabled)
    for item in registry:
        registry.parameters(item)
    dependencies, broken = _optional_dependencies(registry)
    return {
        "versions": versions(registry),
        "devices": _devices(),
        "parts": [
            {"name": d.name, "for": d.purpose, "present": d.present, "add": d.add, "note": d.note}
            for d in [*_distributions(), *dependencies]
        ],
        "broken": [*(f"{b.provenance}: {b.cause}" for b in registry.broken), *broken],
    }


def _distributions() -> Iterator[OptionalDependency]:
    """Return adapt's own plugins, installed or not."""
    for name, purpose in DISTRIBUTIONS.items():
        present = installed_version(name) is not None
        yield OptionalDependency(name=name, purpose=purpose, present=present, add=f"pip install {name}")


def _optional_dependencies(registry: Registry) -> tuple[list[OptionalDependency], list[str]]:
    """Return the optional dependencies of core and each plugin, and the plugins whose hook failed."""
    found: list[OptionalDependency] = []
    broken = []
    hook: Any = registry.manager.hook.adapt_optional_dependencies
    for implementation in sorted(hook.get_hookimpls(), key=lambda item: item.plugin_name != CORE):
        try:
            found += implementation.function()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - any plugin code may raise or exit; the cause is shown
            plugin = registry.provenance[implementation.plugin_name]
            cause = str(error) or type(error).__name__
            broken.append(f"{plugin}: adapt_optional_dependencies() raised {cause}")
    return found, broken


def _devices() -> list[str]:
    from adapt_core.distributed.devices import may_have_gpu, torch_fault
    from adapt_core.runtime.cores import usable_cores

    threads = os.environ.get("OMP_NUM_THREADS")
    found = [f"cpu: {usable_cores()} cores" + (f", OMP_NUM_THREADS {threads}" if threads else "")]
    if fault := torch_fault():
        return [*found, f"torch cannot be loaded: {fault}"]
    return [*found, *((_gpus() if may_have_gpu() else []) or ["no GPU is visible"])]


def _gpus() -> list[str]:
    from adapt_core.nn.accelerators import accelerator_count, described

    return [described(number) for number in range(accelerator_count())]
