"""The hooks of adapt-tune. Imports nothing heavy: Optuna loads when `adapt tune` runs."""

from __future__ import annotations

from adapt_core.plugin.command_spec import CommandSpec
from adapt_core.plugin.specs import hookimpl

adapt_hook_api = 6


@hookimpl
def adapt_commands() -> list[CommandSpec]:
    """Return the spec of `adapt tune`."""
    return [
        CommandSpec(
            name="tune",
            summary="Search settings within a time, and train with the best.",
            implementation="adapt_tune.command:tune",
            params="adapt_tune.params:TuneParams",
        )
    ]
