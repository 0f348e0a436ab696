"""`adapt plugins`."""

from __future__ import annotations

from typing import Any

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.plugin.registry import Registry


@click.command()
@options.json_option
@options.traceback_option
@click.pass_obj
def plugins(disabled: tuple[str, ...], as_json: bool) -> None:
    """List what is registered, by which distribution and version, and what is broken and why.

    \b
    adapt plugins
    adapt -p no:nlp plugins    with a plugin switched off
    """
    report = describe(Registry.discover(disabled))
    if as_json:
        import json

        say(json.dumps(report, indent=2))
        return
    from adapt_core.cli.tables import paragraph, table

    for plugin in report["plugins"]:
        say(paragraph(f"{plugin['distribution']} {plugin['version']} ({plugin['name']})"))
        rows = [
            ["kind", "name", "what it is"],
            *([item["kind"], item["name"], item["summary"]] for item in plugin["provides"]),
        ]
        say(table(rows, indent="  ") if plugin["provides"] else "  registers nothing")
        say()
    for name in report["disabled"]:
        say(f"switched off: {name}")
    for broken in report["broken"]:
        say(paragraph(f"broken: {broken['distribution']} {broken['version']} ({broken['name']}): {broken['cause']}"))


def describe(registry: Registry) -> dict[str, Any]:
    """Return the registry as plain data."""
    provided: dict[str, list[dict[str, str]]] = {name: [] for name in registry.provenance}
    for shelf in registry.shelves:
        for item in shelf:
            entry = {"kind": shelf.kind, "name": item.spec.name, "summary": item.spec.summary}
            provided[item.provenance.plugin].append(entry)
    return {
        "plugins": [
            {"name": p.plugin, "distribution": p.distribution, "version": p.version, "provides": provided[p.plugin]}
            for p in registry.provenance.values()
        ],
        "disabled": registry.disabled,
        "broken": [
            {
                "name": b.provenance.plugin,
                "distribution": b.provenance.distribution,
                "version": b.provenance.version,
                "cause": b.cause,
            }
            for b in registry.broken
        ],
    }
