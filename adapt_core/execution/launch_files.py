"""`adapt run --emit`: a launch file for a scheduler that is there already."""

from __future__ import annotations

from pathlib import Path

from adapt_core.capabilities import RunCommand, SupportsLaunchFiles
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import InputError
from adapt_core.execution.components import make_launcher
from adapt_core.plugin.registry import Registry


def launch_file(
    scheduler: str, config: str, overrides: tuple[str, ...], *, strict: bool, disable_plugins: tuple[str, ...]
) -> str:
    """Return the text of a launch file that runs a config. Its paths may exist on the cluster only.

    Args:
        scheduler: "slurm", "kubernetes", "skypilot" or "torchrun".
        config: the config file.
        overrides: "KEY=VALUE" strings on top.
        strict: a documented key that the run does not use is an error.
        disable_plugins: plugins to leave out.

    Raises:
        InputError: the config's keys are at fault, or its launcher runs in one process.
    """
    registry = Registry.discover(disable_plugins)
    plan = resolve(RunConfig.read(config, overrides), registry, strict=strict)
    launcher: object = make_launcher(plan)
    if not isinstance(launcher, SupportsLaunchFiles):
        raise InputError(
            f"--emit {scheduler}: the launcher {plan.launcher.name} runs in one process, which needs no launch file. "
            "Set DDP: true or FSDP: true."
        )
    command = RunCommand(
        config=Path(config).expanduser().absolute(), overrides=overrides, disabled_plugins=disable_plugins
    )
    return launcher.launch_file(scheduler, plan, command)
